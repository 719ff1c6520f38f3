"""Tracebacks: what an author needs to see of an exception: the author's own frames, and nothing of ours."""

import importlib
import traceback
from pathlib import Path
from typing import Optional, Set, Tuple

_OURS = str(Path(__file__).resolve().parent)
_IMPORTING = "<frozen importlib"
_LONGEST = 64 * 1024  # characters
_LONGEST_MESSAGE = 4000


def message_of(error: BaseException) -> str:
    """Type and message of an exception, on one line of bounded length."""
    try:
        text = str(error)
    except Exception:  # the author's __str__ may raise
        text = "(its message cannot be shown)"
    name = type(error).__name__
    return storable(f"{name}: {text}" if text else name)[:_LONGEST_MESSAGE]


def storable(text: str) -> str:
    """The text without what neither JSON in UTF-8 nor a database can hold."""
    if "\x00" in text:
        text = text.replace("\x00", "\ufffd")
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def author_traceback(error: BaseException, folder: Path) -> str:
    """The traceback as Python prints it, without our frames and with paths relative to the application's
    folder."""
    try:
        summary = traceback.TracebackException(type(error), error, error.__traceback__)
        _strip(summary, set())
        text = "".join(summary.format())
    except Exception:  # an exception whose own methods raise
        text = message_of(error)
    text = storable(text.replace(f"{folder}/", ""))
    if len(text) > _LONGEST:
        text = text[: _LONGEST // 2] + "\n…\n" + text[-_LONGEST // 2 :]
    return text


def author_line(error: BaseException, folder: Path) -> Tuple[str, int]:
    """File (relative to the folder) and line of the innermost frame in the application's folder; ("", 0) if
    none."""
    found = ("", 0)
    for frame in traceback.extract_tb(error.__traceback__):
        path = Path(frame.filename)
        if folder in path.parents:
            found = (str(path.relative_to(folder)), frame.lineno or 0)
    return found


def _strip(summary: Optional[traceback.TracebackException], seen: Set[int]) -> None:
    if summary is None or id(summary) in seen:
        return
    seen.add(id(summary))
    summary.stack = traceback.StackSummary.from_list([frame for frame in summary.stack if not _is_ours(frame)])
    _strip(summary.__cause__, seen)
    _strip(summary.__context__, seen)
    for inner in getattr(summary, "exceptions", None) or ():
        _strip(inner, seen)


def _is_ours(frame: traceback.FrameSummary) -> bool:
    name = frame.filename
    return name.startswith((_OURS, _IMPORTING)) or name == importlib.__file__
