"""Trials: executions on the author's machine, with no platform, through the same code that the platform's
processes use."""

import base64
import contextlib
import dataclasses
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Tuple

from ovd import schema, streams
from ovd.execution import Execution
from ovd.fields import FILE_KINDS
from ovd.loading import Loaded
from ovd.samples import head_of
from ovd.schema import FieldError
from ovd.sniff import HEAD, media_type

FINAL = ("result", "rejected", "failed")
Tell = Callable[[Dict[str, Any]], None]  # gets the headers of progress, log and output frames as they come


@dataclasses.dataclass
class Outcome:
    """How a trial ended, and what came out."""

    status: str  # succeeded, rejected, failed, or refused: the inputs do not fit the schema
    outputs: Dict[str, Any] = dataclasses.field(default_factory=dict)  # a file: {name, media_type, size, path}
    message: str = ""
    code: str = ""  # of a failure: exception, output, timeout or memory
    traceback: str = ""  # the author's frames only
    errors: List[FieldError] = dataclasses.field(default_factory=list)  # of refused inputs
    log: str = ""
    seconds: float = 0.0

    @property
    def succeeded(self) -> bool:
        return self.status == "succeeded"


def prepare(loaded: Loaded, given: Mapping[str, Any]) -> Tuple[Dict[str, Any], Dict[str, Path], List[FieldError]]:
    """Inputs as a person gives them: as in the API, and besides files, tables and series as paths of local
    files.

    Returns accepted inputs, the local files by field, and all that is wrong."""
    plain: Dict[str, Any] = {}
    files: Dict[str, Path] = {}
    errors: List[FieldError] = []
    for name, value in given.items():
        kind = loaded.schema["inputs"]["properties"].get(name, {}).get("x-ovd", {}).get("kind")
        path = _path(value) if kind in (*FILE_KINDS, "table", "series") else None
        if path is None:
            plain[name] = value
        elif not path.is_file():
            errors.append(FieldError(name, f"there is no file {path}."))
        elif kind in FILE_KINDS:
            files[name] = path
        else:
            data = path.read_bytes()
            try:
                plain[name] = schema.parse_upload(kind, data, media_type(path.name, data[:HEAD]))
            except ValueError as error:
                errors.append(FieldError(name, str(error)))
    heads = {name: head_of(path) for name, path in files.items()}
    accepted, wrong = schema.accept(loaded.schema["inputs"], plain, heads)
    named = {error.field for error in errors}
    return accepted, files, errors + [error for error in wrong if error.field not in named]


def _path(value: Any) -> Optional[Path]:
    if isinstance(value, Path):
        return value
    return Path(value) if isinstance(value, str) and not value.startswith("data:") else None


def execute(
    loaded: Loaded,
    accepted: Mapping[str, Any],
    files: Mapping[str, Path],
    *,
    seed: int = 0,
    model: Optional[Path] = None,
    into: Optional[Path] = None,
    timeout: Optional[float] = None,
    tell: Optional[Tell] = None,
) -> Outcome:
    """Execute with accepted inputs; `loaded` has been set up. Files that come out are written into the
    folder `into`,
    and are dropped when it is None."""
    work = Path(tempfile.mkdtemp(prefix="ovd-trial-"))
    collecting = _Collecting(into if into is not None else work / "outputs", tell)
    try:
        inputs, local = _delivered(accepted, files, work / "inputs")
        execution = Execution(
            loaded,
            id="trial",
            inputs=inputs,
            seed=seed,
            timeout=timeout,
            files=local,
            folder=work / "execution",
            model=model,
            send=collecting.receive,
        )
        with _inside(work), _tagged(execution):
            execution.run()
        outcome = collecting.outcome()
        if into is None:
            for value in outcome.outputs.values():
                if isinstance(value, dict):
                    value.pop("path", None)
        return outcome
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _delivered(
    accepted: Mapping[str, Any], files: Mapping[str, Path], folder: Path
) -> Tuple[Dict[str, Any], Dict[str, Path]]:
    """Inputs as a process gets them: every file has a key, and stands on this machine."""
    inputs: Dict[str, Any] = {}
    local: Dict[str, Path] = {}
    for name, value in accepted.items():
        inputs[name] = value
        if not isinstance(value, dict) or not ("upload" in value or "data" in value):
            continue
        key = f"f{len(local)}"
        folder.mkdir(parents=True, exist_ok=True)
        local[key] = folder / key
        if "upload" in value:
            shutil.copyfile(files[name], local[key])
            head = head_of(files[name])
            inputs[name] = {"file": key, "name": head.name, "media_type": head.media_type, "size": head.size}
        else:
            local[key].write_bytes(base64.b64decode(value["data"]))
            inputs[name] = {"file": key, **{part: value[part] for part in ("name", "media_type", "size")}}
    return inputs, local


class _Collecting:
    """The frames of one execution, on their way to an outcome."""

    def __init__(self, folder: Path, tell: Optional[Tell]) -> None:
        self._folder = folder
        self._tell = tell
        self._pieces: Dict[str, List[bytes]] = {}
        self._log: List[str] = []
        self._final: Dict[str, Any] = {}

    def receive(self, header: Dict[str, Any], body: bytes) -> None:
        kind = header["type"]
        if kind == "file":
            self._pieces.setdefault(header["file"], []).append(body)
        elif kind in FINAL:
            self._final = header
        else:
            if kind == "log":
                self._log.append(header["text"])
            if self._tell is not None:
                self._tell(header)

    def outcome(self) -> Outcome:
        final = self._final
        status = {"result": "succeeded"}.get(final["type"], final["type"])
        taken: List[str] = []
        outputs = {name: self._keep(name, value, taken) for name, value in final.get("outputs", {}).items()}
        return Outcome(
            status=status,
            outputs=outputs,
            message=final.get("message", ""),
            code=final.get("code", ""),
            traceback=final.get("traceback", ""),
            log="".join(self._log),
            seconds=final["seconds"],
        )

    def _keep(self, name: str, value: Any, taken: List[str]) -> Any:
        if not isinstance(value, dict) or "file" not in value:
            return value
        file = Path(value["name"]).name or name
        if file in taken:
            file = f"{name}-{file}"
        taken.append(file)
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / file
        path.write_bytes(b"".join(self._pieces[value["file"]]))
        return {"name": file, "media_type": value["media_type"], "size": value["size"], "path": str(path)}


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    """Work in `folder`, as a process of the platform works in a folder that is not the application's."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@contextlib.contextmanager
def _tagged(execution: Execution) -> Iterator[None]:
    """What is printed meanwhile belongs to the log of the execution."""
    before = sys.stdout, sys.stderr
    quiet = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    sys.stdout = streams.TaggedStream("stdout", quiet, lambda: execution)
    sys.stderr = streams.TaggedStream("stderr", quiet, lambda: execution)
    token = streams.current.set(execution)
    try:
        yield
    finally:
        streams.current.reset(token)
        sys.stdout, sys.stderr = before
        quiet.close()
