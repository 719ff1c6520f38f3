"""Task events: what a process tells of its task (docs/reference/frames.md), judged before anybody believes it. Floor 2:
pure.

The code of strangers runs in that process and can send anything. What is passed on from here has the shape that it
should, and can be stored.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ovd_saas.appcore.dispatch_told import printable

LAST = ("done", "failed", "yielded")
MOST_METRICS = 1_000  # that `learn` or `evaluate` returns
MOST_SAMPLES = 10_000  # of the release, executed while a version is evaluated
LONGEST_NAME = 200  # characters; likewise the next two
LONGEST_MESSAGE = 10_000
LONGEST_TEXT = 256 << 10
_LARGEST = 2**53  # of a whole number
_MOST_EVENTS = 2**31 - 1


@dataclass(frozen=True)
class Event:
    """Something that the process tells of its task."""

    seq: int
    kind: str  # started | progress | metric | log | checkpoint | done | failed | yielded
    body: dict[str, Any]

    @property
    def is_last(self) -> bool:
        return self.kind in LAST


def read(header: Mapping[str, Any]) -> Event:
    """The event in the header of a frame. Raises ValueError with what is wrong, as the end of a sentence."""
    kind, body = header.get("kind"), header.get("body")
    seq = _whole("the number of an event", header.get("seq"))
    if not 0 < seq <= _MOST_EVENTS:
        raise ValueError(f"an event has the number {seq}")
    if not isinstance(kind, str) or kind not in _BODIES:
        raise ValueError(f"there is no event of the kind {printable(kind)[:LONGEST_NAME]!r}")
    if not isinstance(body, dict):
        raise ValueError(f"an event of the kind {kind!r} tells nothing")
    return Event(seq, kind, _BODIES[kind](body))


def _nothing(body: Mapping[str, Any]) -> dict[str, Any]:
    return {}


def _progress(body: Mapping[str, Any]) -> dict[str, Any]:
    fraction = _number("the progress", body.get("fraction"), may_be_none=True)
    known = None if fraction is None else min(max(fraction, 0.0), 1.0)
    return {"fraction": known, "message": _text(body.get("message") or "", LONGEST_NAME * 5)}


def _metric(body: Mapping[str, Any]) -> dict[str, Any]:
    name, step = _text(body.get("name", ""), LONGEST_NAME), body.get("step")
    return {
        "name": name,
        "value": _number(f'the metric "{name}"', body.get("value")),
        "step": None if step is None else _whole(f'the step of the metric "{name}"', step),
    }


def _log(body: Mapping[str, Any]) -> dict[str, Any]:
    stream = _text(body.get("stream", "stdout"), LONGEST_NAME)
    return {"stream": stream, "text": _text(body.get("text", ""), LONGEST_TEXT)}


def _checkpoint(body: Mapping[str, Any]) -> dict[str, Any]:
    return {"file": _key(body.get("file")), "size": _whole("the size of a checkpoint", body.get("size") or 0)}


def _yielded(body: Mapping[str, Any]) -> dict[str, Any]:
    return {"file": _key(body["file"]) if body.get("file") is not None else None}


def _failed(body: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "code": _text(body.get("code") or "exception", LONGEST_NAME),
        "message": _text(body.get("message") or "It failed.", LONGEST_MESSAGE),
        "traceback": _text(body.get("traceback") or "", LONGEST_TEXT),
    }


def _done(body: Mapping[str, Any]) -> dict[str, Any]:
    metrics, samples = body.get("metrics") or {}, body.get("samples") or []
    if not isinstance(metrics, dict) or len(metrics) > MOST_METRICS:
        raise ValueError(f"its metrics are not at most {MOST_METRICS:,} numbers by name")
    if not isinstance(samples, list) or len(samples) > MOST_SAMPLES:
        raise ValueError(f"what it says of its samples is not a list of at most {MOST_SAMPLES:,}")
    return {
        "metrics": {
            _text(name, LONGEST_NAME): _number(f'the metric "{_text(name, LONGEST_NAME)}"', value)
            for name, value in metrics.items()
        },
        "file": _key(body["file"]) if body.get("file") is not None else None,
        "scores": _key(body["scores"]) if body.get("scores") is not None else None,
        "seconds": _number("the time it took", body.get("seconds"), may_be_none=True),
        "execution_seconds": _number("the time of an execution", body.get("execution_seconds"), may_be_none=True),
        "samples": [_sample(sample) for sample in samples],
    }


def _sample(sample: Any) -> dict[str, Any]:
    if not isinstance(sample, dict):
        raise ValueError("what it says of one of its samples is no object")
    return {name: _text(sample.get(name, ""), LONGEST_NAME) for name in ("name", "status")}


_BODIES: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "started": _nothing,
    "progress": _progress,
    "metric": _metric,
    "log": _log,
    "checkpoint": _checkpoint,
    "yielded": _yielded,
    "failed": _failed,
    "done": _done,
}


def numbers(given: Any, most: int) -> list[float]:
    """A list of at most so many finite numbers. Raises ValueError as `read`."""
    if not isinstance(given, list) or len(given) > most:
        raise ValueError(f"the scores are not a list of at most {most:,} numbers")
    return [number for number in (_number("a score", value) for value in given) if number is not None]


def _number(what: str, value: Any, *, may_be_none: bool = False) -> float | None:
    if value is None and may_be_none:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{what} is no number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{what} is no finite number")
    return number


def _whole(what: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not -_LARGEST <= value <= _LARGEST:
        raise ValueError(f"{what} is no whole number within ±2⁵³")
    return value


def _key(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_NAME:
        raise ValueError("a file has no name")
    return value


def _text(value: Any, longest: int) -> str:
    text = value if isinstance(value, str) else ""
    return printable(text[:longest])
