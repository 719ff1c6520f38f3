"""Figures: what pages draw about learning, as `static/ovd/figures.js` takes it. Pure.

Each is `{"figure": NAME, …}`, for the attribute `data-chart`; its words are for the axis, the legend and the pointer.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any


def received(moments: Sequence[datetime], samples: Sequence[Mapping[str, int]], words: Mapping[str, str]) -> Any:
    """Bars over time, one colour for each way in which samples came."""
    kinds = [kind for kind in words if any(kind in one for one in samples)]
    return {
        "figure": "received",
        "moments": [at.isoformat() for at in moments],
        "parts": [{"name": words[kind], "values": [one.get(kind, 0) for one in samples]} for kind in kinds],
    }


def curve(name: str, points: Sequence[tuple[float, float]], *, is_log: bool = False) -> Any:
    """One metric over the steps of a learning run; on a logarithmic scale where all of it is above 0."""
    return {
        "figure": "curve",
        "name": name,
        "points": [list(point) for point in points],
        **({"log": True} if is_log and all(value > 0 for _, value in points) else {}),
    }


def pairs(scores: Sequence[Sequence[float]], is_lower_better: bool, *, x: str, y: str) -> Any:
    """A dot for each sample: the score of one version against that of the other; `scores` has (y, x)."""
    points = [[other, ours] for ours, other in scores]
    return {"figure": "pairs", "points": points, "better": "lower" if is_lower_better else "higher", "x": x, "y": y}


def improvement(verdict: Mapping[str, Any]) -> Any:
    """How much better the candidate is, with its interval, and how much it had to be; None: nothing was compared."""
    if verdict.get("improvement") is None:
        return None
    return {
        "figure": "improvement",
        "metric": verdict.get("metric", ""),
        "value": verdict["improvement"],
        "interval": verdict.get("interval"),
        "minimum": verdict.get("minimum") or 0,
        "passed": bool(verdict.get("passed")),
    }


def versions(metric: str, direction: str, points: Sequence[tuple[int, float, str, str]]) -> Any:
    """The gate's metric of each version: (number, value, state, word of the state)."""
    return {
        "figure": "versions",
        "metric": metric,
        "better": "lower" if direction == "min" else "higher",
        "points": [{"number": one, "value": value, "state": state, "word": word} for one, value, state, word in points],
    }


def ledger(rows: Sequence[tuple[int, datetime, datetime | None, str]], now: datetime) -> Any:
    """Which version was live when: (number, from, until or None, why), the oldest first."""
    return {
        "figure": "ledger",
        "now": now.isoformat(),
        "spans": [
            {
                "number": number,
                "from": begin.isoformat(),
                "until": (end or now).isoformat(),
                "live": end is None,
                "why": why,
            }
            for number, begin, end, why in rows
        ],
    }


def drift(moments: Sequence[datetime], parts: Mapping[str, Sequence[float | None]]) -> Any:
    """How far each field was from its limit over time: 1 is the limit."""
    return {
        "figure": "drift",
        "moments": [at.isoformat() for at in moments],
        "parts": [{"name": name, "values": list(values)} for name, values in parts.items()],
    }


def overtime(
    moments: Sequence[datetime], parts: Mapping[str, Sequence[float | None]], *, unit: str, most: float | None = None
) -> Any:
    """Lines over time in one unit; `most` is what there is of it. A gap is where nothing was told."""
    return {
        "figure": "overtime",
        "unit": unit,
        "most": most,
        "moments": [at.isoformat() for at in moments],
        "parts": [{"name": name, "values": list(values)} for name, values in parts.items()],
    }
