"""Command applications: a program in any language, run in a folder of its own by IPOL's folder contract.

The program finds its file inputs as `input_0.png`, `input_1.csv`, … in its working directory, every other input as
an environment variable (so that `$name` in the command line means it), and the application's folder as `$bin`. It
writes its outputs as files; numbers and texts may stand in `algo_info.txt` as `name=value` lines. Exit code 0 and
no `demo_failure.txt` is success; the text of `demo_failure.txt` declines the input.
"""

import codecs
import csv
import errno
import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import IO, Any, Dict, List, Optional

from ovd import sniff, uploads
from ovd.app import App, Failed, OutputError, Rejected
from ovd.context import Cancelled, Context
from ovd.data import File, Image, Series, Table
from ovd.fields import Field
from ovd.manifest import Manifest
from ovd.values import write_moment

_LONGEST_ERROR = 2000  # characters of the program's last words


class CommandFailed(Failed):
    """The program ended with an exit code other than 0; the message holds the end of what it printed as
    errors."""


class Command(App):
    """The App of a manifest that has a `command`."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self._folder = folder
        self._manifest = manifest
        self._line = with_own_files(manifest.command, folder)

    def execute(self, context: Context, **inputs: Any) -> Dict[str, Any]:
        folder = context.scratch
        names = _write_inputs(folder, self._manifest.inputs, inputs)
        variables = {**_variables(inputs), **names, "bin": str(self._folder)}
        program = _Program(self._line, folder, {**os.environ, **variables}, context)
        program.run()
        failure = folder / "demo_failure.txt"
        if failure.exists():
            text = failure.read_text(encoding="utf-8", errors="replace").strip()
            raise Rejected(text or "The program declined this input without saying why.")
        if program.code != 0:
            raise CommandFailed(_ended(program.code, program.last_words))
        return _outputs(folder, self._manifest.outputs)


def with_own_files(line: str, folder: Path) -> str:
    """The command line in which a word that names a file of the application's folder means that file,
    wherever the
    program runs."""

    def absolute(found: "re.Match[str]") -> str:
        word = found.group()
        return f'"$bin"/{word}' if (folder / word).is_file() else word

    return re.sub(r"(?<![\w./$'\"-])(?!-)[\w][\w./-]*", absolute, line)


def _ended(code: int, last_words: str) -> str:
    if code < 0:
        try:
            how = f"was ended by {signal.Signals(-code).name}"
        except ValueError:
            how = f"was ended by signal {-code}"
    else:
        how = f"ended with exit code {code}"
    return f"The program {how}.\n{last_words}".strip()


def _variables(inputs: Dict[str, Any]) -> Dict[str, str]:
    """Scalars as environment variables; true and false in lower case, as IPOL's containers get them."""
    plain: Dict[str, str] = {}
    for name, value in inputs.items():
        if isinstance(value, bool):
            plain[name] = "true" if value else "false"
        elif isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
            plain[name] = str(int(value))
        elif isinstance(value, (str, int, float)):
            plain[name] = str(value)
        elif value is None:
            plain[name] = ""
    return plain


def _write_inputs(folder: Path, fields: Any, inputs: Dict[str, Any]) -> Dict[str, str]:
    """Put the files, tables and series as `input_<i>.<ending>` into the folder; the variables that name
    them."""
    names: Dict[str, str] = {}
    place = 0
    for field in fields:
        value = inputs.get(field.name)
        if field.kind not in ("image", "file", "table", "series"):
            continue
        if value is not None:
            name = f"input_{place}{_ending(value)}"
            _write(folder / name, value)
            names[f"input_{place}"] = names[field.name] = name
            names[f"orig_input_{place}"] = value.name if isinstance(value, File) else name
        place += 1
    return names


_ENDINGS = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "image/tiff": ".tiff",
    "image/webp": ".webp",
    "image/bmp": ".bmp",
    "text/plain": ".txt",
    "text/csv": ".csv",
    "application/json": ".json",
}


def _ending(value: Any) -> str:
    if not isinstance(value, File):
        return ".csv"
    ending = Path(value.name).suffix.lower()
    if isinstance(value, Image) or not re.fullmatch(r"\.[a-z0-9]{1,10}", ending):
        return _ENDINGS.get(value.media_type, ending if re.fullmatch(r"\.[a-z0-9]{1,10}", ending) else ".dat")
    return ending


def _write(path: Path, value: Any) -> None:
    if isinstance(value, File):
        path.write_bytes(value.bytes)
        return
    with path.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.writer(opened, lineterminator="\n")
        if isinstance(value, Series):
            writer.writerow(["time", "value"] if value.times else ["value"])
            times: List[List[str]] = [[write_moment(time)] for time in value.times] or [[] for _ in value.values]
            writer.writerows([*time, "" if item is None else item] for time, item in zip(times, value.values))
        elif isinstance(value, Table):
            writer.writerow(value.columns)
            writer.writerows(["" if cell is None else cell for cell in row] for row in value.rows)


class _Program:
    """The running program, in a process group of its own, and what it prints."""

    def __init__(self, line: str, folder: Path, environment: Dict[str, str], context: Context) -> None:
        self.last_words = ""
        self.code = 0
        self._context = context
        try:
            self._child = subprocess.Popen(
                ["/bin/sh", "-c", line],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        except OSError as error:
            if error.errno != errno.E2BIG:
                raise
            message = "A text input is too long for a command. Ask the author to declare it as a file."
            raise CommandFailed(message) from None

    def run(self) -> None:
        """Wait for the end, passing lines on as they come. Raises Cancelled after a cancellation or a time
        limit."""
        execution = self._context.execution
        readers = [
            threading.Thread(target=self._read, args=(stream, name), daemon=True)
            for stream, name in ((self._child.stdout, "stdout"), (self._child.stderr, "stderr"))
        ]
        for reader in readers:
            reader.start()
        if execution is not None:
            execution.interruptible(self._kill)
        try:
            self._wait()
        finally:
            if execution is not None:
                execution.interruptible(None)
            self._kill()
            self.code = self._child.wait()
            for reader in readers:
                reader.join(timeout=5)
        if self._context.is_cancelled:
            raise Cancelled

    def _wait(self) -> None:
        deadline = self._context.deadline
        try:
            self._child.wait(None if deadline is None else max(0.0, deadline - time.monotonic()) + 0.01)
        except subprocess.TimeoutExpired:
            return

    def _kill(self) -> None:
        """End the program and all it started; it has no process group of its own, since the runner ends
        ours."""
        if self._child.poll() is None:
            for pid in reversed(descendants(self._child.pid)):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue

    def _read(self, stream: Optional[IO[bytes]], name: str) -> None:
        assert stream is not None
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        while True:
            piece = os.read(stream.fileno(), 1 << 16)
            text = decoder.decode(piece, final=not piece)
            if name == "stderr":
                self.last_words = (self.last_words + text)[-_LONGEST_ERROR:]
            if text and self._context.execution is not None:
                self._context.execution.print(text, name)
            if not piece:
                return


def descendants(pid: int) -> List[int]:
    """The process `pid` and all processes it started that still live, parents first."""
    children: Dict[int, List[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(entry.read_text(errors="replace").rpartition(")")[2].split()[1])
        except (OSError, IndexError, ValueError):
            continue
        children.setdefault(parent, []).append(int(entry.parent.name))
    found = [pid]
    for each in found:
        found.extend(children.get(each, []))
    return found


def _outputs(folder: Path, fields: Any) -> Dict[str, Any]:
    told = _algo_info(folder / "algo_info.txt")
    found: Dict[str, Any] = {}
    faults: List[str] = []
    for field in fields:
        try:
            if field.file:
                value = _from_file(field, folder / field.file)
            else:
                value = None if field.name not in told else _from_text(field, told[field.name])
        except ValueError as error:
            faults.append(f'Output "{field.name}": {error}')
            continue
        if value is not None:
            found[field.name] = value
    if faults:
        raise OutputError(" ".join(faults))
    return found


def _algo_info(path: Path) -> Dict[str, str]:
    if not path.is_file():
        return {}
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    pairs = [line.partition("=") for line in lines if "=" in line]
    return {name.strip(): value.strip() for name, _, value in pairs}


def _from_file(field: Field, path: Path) -> Any:
    if not path.is_file():
        if field.optional:
            return None
        raise ValueError(f"the program wrote no file {field.file}.")
    if field.kind == "image":
        return Image(path)
    if field.kind == "file":
        return File(path)
    data = path.read_bytes()
    if field.kind in ("table", "series"):
        return uploads.parse(field.kind, data, sniff.media_type(path.name, data[: sniff.HEAD]))
    return _from_text(field, data.decode("utf-8", "replace").rstrip("\n"))


def _from_text(field: Field, text: str) -> Any:
    if field.kind == "integer":
        return int(text)
    if field.kind == "number":
        return float(text)
    if field.kind == "boolean":
        if text.lower() not in ("true", "false", "1", "0"):
            raise ValueError(f"the program wrote {text[:40]!r}; write true or false.")
        return text.lower() in ("true", "1")
    return text
