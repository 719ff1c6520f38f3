"""Loading: an application's folder as an object that can execute. Every failure is a Problem, never a
traceback of ours."""

import dataclasses
import importlib
import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Dict, List, Optional, Tuple, Type, Union

from ovd import manifest as manifests
from ovd import samples, schema, signature
from ovd.app import App
from ovd.fields import REQUIRED, Field
from ovd.manifest import Manifest
from ovd.nearest import did_you_mean
from ovd.problems import Problem, ProblemsFound
from ovd.tracebacks import author_line, author_traceback, message_of


class ImportFailed(ProblemsFound):
    """The author's module raised while it was imported; `traceback` holds only the author's frames."""

    def __init__(self, problem: Problem, traceback: str) -> None:
        super().__init__([problem])
        self.traceback = traceback


@dataclasses.dataclass(frozen=True)
class Loaded:
    """An application whose code is imported; `app` is its instance, not yet set up."""

    folder: Path
    manifest: Manifest
    app: App
    inputs: Tuple[Field, ...]
    outputs: Tuple[Field, ...]
    takes_context: bool
    is_single: bool
    schema: Dict[str, Any]
    samples: Tuple[samples.Sample, ...]


def load(folder: Union[str, Path]) -> Loaded:
    """Import the application in `folder`. Raises ProblemsFound (ManifestError, ImportFailed, …) with all
    problems of
    the first step that has any."""
    folder = Path(folder).resolve()
    manifest = manifests.load(folder)
    if manifest.command:
        from ovd.command import Command

        app: App = Command(folder, manifest)
        takes_context, is_single = True, False
        inputs, outputs = manifest.inputs, manifest.outputs
        _check_fields(manifest)
    else:
        cls = _entry(folder, manifest)
        found = signature.read(cls)
        if manifest.learns:
            _must_learn(manifest, cls)
        app = _instance(folder, manifest, cls)
        takes_context, is_single = found.takes_context, found.is_single
        inputs, outputs = found.inputs, found.outputs
    golden, problems = samples.read(folder, schema.object_of(inputs), schema.object_of(outputs))
    if problems:
        raise ProblemsFound(problems)
    document = _document(manifest, inputs, outputs, golden)
    return Loaded(folder, manifest, app, inputs, outputs, takes_context, is_single, document, tuple(golden))


def _document(
    manifest: Manifest, inputs: Tuple[Field, ...], outputs: Tuple[Field, ...], golden: List[samples.Sample]
) -> Dict[str, Any]:
    return {
        "version": 1,
        "name": manifest.name,
        "title": manifest.title,
        "summary": manifest.summary,
        "learns": manifest.learns,
        "concurrency": manifest.execute.concurrency,
        "inputs": schema.object_of(inputs),
        "outputs": schema.object_of(outputs),
        "sample": schema.sample_of(manifest.learn.sample) if manifest.learn is not None else None,
        "samples": [sample.described for sample in golden],
    }


def _check_fields(manifest: Manifest) -> None:
    """The defaults of a command's inputs must fit their own fields."""
    from ovd import values

    problems = []
    for field in manifest.inputs:
        if field.default is REQUIRED or field.default is None:
            continue
        try:
            values.canonical(schema.property_of(field, 0), field.default)
        except ValueError as error:
            key = f"inputs.{field.name}.default"
            problems.append(manifest.problem(key, f'The default of input "{field.name}" {error}', "Change it."))
    if problems:
        raise ProblemsFound(problems)


def _entry(folder: Path, manifest: Manifest) -> Type[App]:
    module_name, class_name = manifest.entry.split(":")
    module = _import(folder, manifest, module_name)
    cls = getattr(module, class_name, None)
    if cls is None:
        names = [name for name, value in vars(module).items() if _is_app(value)]
        raise ProblemsFound(
            [
                manifest.problem(
                    "entry",
                    f"The module {module_name} has no class {class_name}.",
                    did_you_mean(class_name, names).strip() or f"Write class {class_name}(App): in {module_name}.py.",
                )
            ]
        )
    if not _is_app(cls):
        message = f"{class_name} in {module_name} is not a class of ovd.App."
        raise ProblemsFound([manifest.problem("entry", message, f"Write class {class_name}(App): … .")])
    found: Type[App] = cls
    return found


def _is_app(value: Any) -> bool:
    return inspect.isclass(value) and issubclass(value, App) and value is not App


def _import(folder: Path, manifest: Manifest, name: str) -> ModuleType:
    _forget_others(folder)
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name == name.split(".")[0]:
            message = f"There is no module {name} in the folder."
            raise ProblemsFound([manifest.problem("entry", message, f"Write {name}.py, or change entry.")]) from None
        file, line = author_line(error, folder)
        cure = f"Add it to {manifest.environment.lock}, or install it here."
        problem = Problem(file or f"{name}.py", line, error.name or "", f"There is no module {error.name}.", cure)
        raise ImportFailed(problem, author_traceback(error, folder)) from None
    except SyntaxError as error:
        file = Path(error.filename).name if error.filename else f"{name}.py"
        problem = Problem(file, error.lineno or 0, "", f"Not Python: {error.msg}.", "Cure the syntax.")
        raise ImportFailed(problem, author_traceback(error, folder)) from None
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:  # whatever the author's module raises is the author's
        file, line = author_line(error, folder)
        message = f"Importing {name} raised {message_of(error)}"
        problem = Problem(file or f"{name}.py", line, "", message, "Cure it, or do this later, in setup.")
        raise ImportFailed(problem, author_traceback(error, folder)) from None


_loaded_folders: List[Path] = []


def forget() -> None:
    """Afterwards it is as if no application had been loaded."""
    _forget_others(None)


def _forget_others(folder: Optional[Path]) -> None:
    """Make room for the modules of `folder`: applications tried one after another all have a module `app`."""
    for other in _loaded_folders:
        if str(other) in sys.path:
            sys.path.remove(str(other))
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            if file and other in Path(file).parents and ".venv" not in file:
                del sys.modules[name]
    _loaded_folders[:] = [] if folder is None else [folder]


def _must_learn(manifest: Manifest, cls: Type[App]) -> None:
    problems = []
    for name, given in (("learn", cls.learn is not App.learn), ("evaluate", cls.evaluate is not App.evaluate)):
        if not given:
            message = f"The manifest says that it learns, but {cls.__name__} has no method {name}."
            problems.append(manifest.problem("learn", message, f"Write {name}, or remove the table [learn]."))
    if problems:
        raise ProblemsFound(problems)


def _instance(folder: Path, manifest: Manifest, cls: Type[App]) -> App:
    try:
        return cls()
    except Exception as error:
        file, line = author_line(error, folder)
        problem = Problem(file or "app.py", line, cls.__name__, f"{cls.__name__}() raised {message_of(error)}", "")
        raise ImportFailed(problem, author_traceback(error, folder)) from None


def set_up(loaded: Loaded, model: Optional[Path]) -> None:
    """Call `setup` of the application, with the model's folder when it takes one."""
    setup: Any = loaded.app.setup
    if inspect.signature(setup).parameters:
        setup(model)
    else:
        setup()
