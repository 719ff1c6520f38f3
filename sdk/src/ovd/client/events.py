"""Events: what happens to an execution, as server-sent events (WHATWG HTML, 9.2). Bytes in, events out."""

import json
from typing import Any, NamedTuple, Optional


class Event(NamedTuple):
    """One event of an execution."""

    name: str  # status, progress, log, output, done
    data: Any  # the JSON it carried; the text itself when it was no JSON
    id: str  # where to resume after it; "" when not said


class EventParser:
    """Bytes of an event stream, in any pieces, into events. Lines end at CR, LF or both only."""

    def __init__(self) -> None:
        self._rest = b""
        self._name = ""
        self._id = ""
        self._data: list[str] = []

    def feed(self, piece: bytes) -> "list[Event]":
        """The events that `piece` completes."""
        text = self._rest + piece
        is_half_line_end = text.endswith(b"\r")  # its LF may come with the next piece
        lines = (text[:-1] if is_half_line_end else text).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._rest = lines.pop() + (b"\r" if is_half_line_end else b"")
        events = (self._line(line.decode("utf-8", "replace")) for line in lines)
        return [event for event in events if event is not None]

    def _line(self, line: str) -> Optional[Event]:
        if not line:
            return self._dispatch()
        field, _, value = line.partition(":")
        value = value[1:] if value.startswith(" ") else value
        if field == "event":
            self._name = value
        elif field == "data":
            self._data.append(value)
        elif field == "id":
            self._id = value
        return None

    def _dispatch(self) -> Optional[Event]:
        name, data = self._name or "message", self._data
        self._name, self._data = "", []
        if not data:
            return None
        return Event(name=name, data=_parsed("\n".join(data)), id=self._id)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
