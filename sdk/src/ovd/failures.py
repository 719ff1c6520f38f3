"""Failures: what went wrong in an author's code, for whoever reads about it."""

from pathlib import Path
from typing import Any, Dict, Optional

from ovd.app import Failed, OutputError
from ovd.context import Cancelled, Yielded
from ovd.tracebacks import author_line, author_traceback, message_of, storable

LONGEST = 10_000  # characters of a message


def told(
    code: str, message: str, error: Optional[BaseException] = None, folder: Optional[Path] = None
) -> Dict[str, Any]:
    """Code, message and traceback (the author's frames of `error`, if it is given)."""
    text = author_traceback(error, folder) if error is not None and folder is not None else ""
    return {"code": code, "message": storable(message[:LONGEST]), "traceback": text}


def of(error: BaseException, folder: Path) -> Dict[str, Any]:
    """Code, message and traceback of what the code in `folder` raised."""
    if isinstance(error, OutputError):
        in_their_code = author_line(error, folder)[0]
        return told("output", str(error), error if in_their_code else None, folder)
    if isinstance(error, Failed):
        return told("exception", str(error))
    if isinstance(error, (Cancelled, Yielded)):
        return told("exception", f"The application raised {type(error).__name__} by itself.")
    if isinstance(error, MemoryError):
        return told("memory", f"The application ran out of memory ({message_of(error)}).", error, folder)
    if isinstance(error, SystemExit):
        return told("exception", f"The application called sys.exit({error.code!r})."[:4000], error, folder)
    return told("exception", message_of(error), error, folder)
