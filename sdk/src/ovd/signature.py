"""Signature: the inputs and outputs of an application, read from `execute` and its return annotation."""

import ast
import collections.abc
import inspect
import math
import typing
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Tuple, Type

from ovd import undeclared, values
from ovd.app import App, Outputs
from ovd.context import Context
from ovd.data import File, Image, Series, Table
from ovd.fields import FILE_KINDS, REQUIRED, Field
from ovd.problems import Problem, ProblemsFound

_KIND_OF: Dict[Any, str] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "text",
    Image: "image",
    Table: "table",
    Series: "series",
    File: "file",
}
_FITTING = {  # kind of the field → annotations that say the same
    "number": (float, int),
    "integer": (int,),
    "boolean": (bool,),
    "text": (str,),
    "image": (Image, File),
    "file": (File,),
    "table": (Table,),
    "series": (Series,),
}
_STREAMS = (
    collections.abc.Iterator,
    collections.abc.Iterable,
    collections.abc.Generator,
    collections.abc.AsyncIterator,
    collections.abc.AsyncIterable,
    collections.abc.AsyncGenerator,
)
_TYPES_SAID = "int, float, str, bool, Image, Table, Series or File"


class Signature(NamedTuple):
    """What `execute` takes and returns."""

    name: str  # of the class
    inputs: Tuple[Field, ...]
    outputs: Tuple[Field, ...]
    takes_context: bool
    is_single: bool  # one value without an Outputs class: the output `result`
    learns: bool


def read(app: Type[App]) -> Signature:
    """The signature of an App class. Raises ProblemsFound with all that is wrong with it."""
    return _Reading(app).signature()


class _Reading:
    def __init__(self, app: Type[App]) -> None:
        self.app = app
        self.problems: List[Problem] = []

    def signature(self) -> Signature:
        execute = self.app.__dict__.get("execute") or getattr(self.app, "execute", None)
        if not callable(execute):
            cure = "Write def execute(self, context: Context, …inputs…) -> …."
            raise ProblemsFound([self.problem(self.app, "execute", "The class has no method execute.", cure)])
        hints = self.hints(execute)
        parameters = list(inspect.signature(execute).parameters.values())[1:]
        takes_context = bool(parameters) and (
            parameters[0].name == "context" or hints.get(parameters[0].name) is Context
        )
        inputs = [self.input(execute, each, hints) for each in parameters[1 if takes_context else 0 :]]
        outputs, is_single = self.outputs(execute, hints.get("return", inspect.Signature.empty))
        if self.problems:
            raise ProblemsFound(self.problems)
        learns = self.app.learn is not App.learn
        found = tuple(field for field in inputs if field is not None)
        return Signature(self.app.__name__, found, tuple(outputs), takes_context, is_single, learns)

    def hints(self, subject: Any) -> Dict[str, Any]:
        try:
            return typing.get_type_hints(subject)
        except Exception as error:  # evaluating the author's annotations may raise anything
            cure = "Import the name, and write types that this version of Python knows."
            name = getattr(subject, "__name__", str(subject))
            problem = self.problem(subject, name, f"A type cannot be understood: {error}.", cure)
            raise ProblemsFound([problem]) from None

    def input(self, execute: Any, parameter: inspect.Parameter, hints: Dict[str, Any]) -> Optional[Field]:
        name = parameter.name
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            self.complain(execute, name, "execute takes *args or **kwargs.", "Name each input.")
            return None
        if parameter.kind is parameter.POSITIONAL_ONLY:
            self.complain(execute, name, f'Input "{name}" is positional-only.', "Remove the / from the signature.")
            return None
        given = REQUIRED if parameter.default is parameter.empty else parameter.default
        return self.field(execute, "Input", name, hints.get(name, parameter.empty), given)

    def field(self, where: Any, side: str, name: str, annotation: Any, given: Any) -> Optional[Field]:
        """One field from its annotation and the field object or plain default beside it; None after a
        problem."""
        kind, choices, optional = _understand(annotation)
        if isinstance(given, Field):
            field = given.replace(name=name, optional=optional or given.default is None)
            wanted = _FITTING.get(field.kind)
            base = _bare(annotation)
            if wanted and base is not inspect.Parameter.empty and base is not Any and base not in wanted:
                said = getattr(base, "__name__", str(base))
                cure = f"Write {name}: {wanted[0].__name__}, or another field."
                self.complain(where, name, f'{side} "{name}" is annotated {said} but its field is {field.kind}.', cure)
                return None
        elif kind is None:
            if annotation is inspect.Parameter.empty:
                message = f'{side} "{name}" has no type.'
            else:
                message = f'{side} "{name}" has a type that cannot be sent: {annotation}.'
            self.complain(where, name, message, f"Write {name}: {_TYPES_SAID}, or a field such as number(…).")
            return None
        else:
            field = Field(kind, name=name, default=given, choices=choices, optional=optional or given is None)
        return self.checked(where, side, field)

    def checked(self, where: Any, side: str, field: Field) -> Optional[Field]:
        """The field, if its own bounds and default make sense."""
        from ovd.schema import property_of

        bounds = ((field.minimum, field.maximum), (field.minimum_length, field.maximum_length))
        for bound in (field.minimum, field.maximum, field.step):
            if isinstance(bound, float) and not math.isfinite(bound):
                message = f'{side} "{field.name}" has {bound} as a bound, which is no number.'
                self.complain(where, field.name, message, "Leave it out: without it there is no bound.")
                return None
        for least, most in bounds:
            if least is not None and most is not None and least > most:
                message = f'{side} "{field.name}": the minimum {least} is over the maximum {most}.'
                self.complain(where, field.name, message, "Swap them.")
                return None
        if field.kind == "choice" and not field.choices:
            self.complain(where, field.name, f'{side} "{field.name}" has no choices.', "Name at least one.")
            return None
        if field.default is REQUIRED or field.default is None:
            return field
        if side == "Output":
            self.complain(where, field.name, f'Output "{field.name}" has a default.', "Remove it: give the value.")
            return None
        try:
            if field.kind in FILE_KINDS:
                raise ValueError("a file cannot be one; use None, or no default.")
            default = values.canonical(property_of(field, 0), field.default)
        except ValueError as error:
            self.complain(where, field.name, f'The default of input "{field.name}" {error}', "Change the default.")
            return None
        return field.replace(default=default)

    def outputs(self, execute: Any, annotation: Any) -> Tuple[List[Field], bool]:
        if annotation is inspect.Signature.empty or annotation is None or annotation is type(None):
            cure = f"Write -> and a class of Outputs, or {_TYPES_SAID}."
            self.complain(execute, "return", "execute does not say what it returns.", cure)
            return [], False
        if typing.get_origin(annotation) in _STREAMS:
            annotation = typing.get_args(annotation)[0]
        if inspect.isclass(annotation) and issubclass(annotation, Outputs):
            return self.declared(annotation), False
        field = self.field(execute, "Output", "result", annotation, REQUIRED)
        return ([field] if field else []), True

    def declared(self, outputs: Type[Outputs]) -> List[Field]:
        hints = self.hints(outputs)
        found = []
        for name in outputs.declared():
            given = getattr(outputs, name, REQUIRED)
            field = self.field(outputs, "Output", name, hints[name], given)
            if field is not None:
                found.append(field)
        for name, value in vars(outputs).items():
            if isinstance(value, Field) and name not in hints:
                self.complain(outputs, name, f'Output "{name}" has no type.', f"Write {name}: type = {value.kind}(…).")
        if hints:
            self.problems.extend(undeclared.find(outputs))
        elif not self.problems:
            self.complain(outputs, outputs.__name__, "The class declares no output.", "Write name: type lines in it.")
        return found

    def complain(self, where: Any, key: str, message: str, cure: str) -> None:
        self.problems.append(self.problem(where, key, message, cure))

    def problem(self, where: Any, key: str, message: str, cure: str) -> Problem:
        file, line = place(where, key)
        return Problem(file, line, key, message, cure)


def _bare(annotation: Any) -> Any:
    """The annotation without Optional."""
    arguments = typing.get_args(annotation)
    if type(None) in arguments:
        rest = [each for each in arguments if each is not type(None)]
        return rest[0] if len(rest) == 1 else annotation
    return annotation


def _understand(annotation: Any) -> Tuple[Optional[str], Tuple[Any, ...], bool]:
    """Kind (None = not a type we can send), choices of a Literal, and whether it may be absent."""
    base = _bare(annotation)
    optional = base is not annotation
    if typing.get_origin(base) is typing.Literal:
        return "choice", typing.get_args(base), optional
    try:
        return _KIND_OF.get(base), (), optional
    except TypeError:  # an annotation that cannot be hashed
        return None, (), optional


def place(where: Any, key: str) -> Tuple[str, int]:
    """File name and line of the parameter or attribute `key` of a function or class of the author's; line 0
    = unknown."""
    try:
        file = inspect.getsourcefile(where)
        lines, first = inspect.getsourcelines(where)
    except (OSError, TypeError):
        return "app.py", 0
    name = Path(file).name if file else "app.py"
    return name, first + _offset(lines, key)


def _offset(lines: List[str], key: str) -> int:
    import textwrap

    try:
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (SyntaxError, ValueError):
        return 0
    for node in ast.walk(tree):
        if isinstance(node, ast.arg) and node.arg == key:
            return node.lineno - 1
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == key:
            return node.lineno - 1
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == key for t in node.targets):
            return node.lineno - 1
    for node in ast.walk(tree):  # else the line of `def`, below decorators
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            return node.lineno - 1 if key in ("return", node.name) else 0
    return 0
