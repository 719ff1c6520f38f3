"""Provenance: how an execution came to be, what it led to, and where its time went. Floor 3."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from ovd_saas.store.records import Execution, Process

_BEGINNINGS = {
    "api": gettext_lazy("Started through the API by {who}"),
    "panel": gettext_lazy("Started from the Control Panel by {who}"),
    "page": gettext_lazy("Started from its own page by {who}"),
    "sample": gettext_lazy("Started from one of its samples by {who}"),
    "replay": gettext_lazy("Started as a replay by {who}"),
    "again": gettext_lazy("Run again by {who}, with the inputs and the seed of another run"),
}
_BEGINNING = gettext_lazy("Started by {who}")
_TOLD = ("kind", "execution")  # of a cause, in the sentence or the chain


@dataclass(frozen=True)
class Step:
    """A stretch of its life; places are parts of the whole, 0 to 100."""

    word: str
    tone: str
    left: float
    width: float
    seconds: float


def cause(execution: Execution) -> str:
    """ "Started from its own page by ana"."""
    who = execution.created_by.username if execution.created_by else execution.caller
    return beginning(str(execution.cause.get("kind", "")), who)


def beginning(kind: str, who: str) -> str:
    return str(_BEGINNINGS.get(kind, _BEGINNING)).format(who=who)


def cause_details(execution: Execution) -> list[tuple[str, Any]]:
    return [
        (name.replace("_", " ").capitalize(), value) for name, value in execution.cause.items() if name not in _TOLD
    ]


def steps(execution: Execution, process: Process | None, now: datetime) -> list[Step]:
    """Queued, waking (when its process was not ready before it came), waiting for its turn, running."""
    came, started = execution.created_at, execution.started_at
    end = execution.finished_at or now
    begun = min(started or end, end)
    points: list[tuple[str, str, datetime, datetime]] = []
    if process is not None and process.ready_at is not None and came < process.ready_at:
        wakes, ready = max(came, process.started_at), min(process.ready_at, begun)
        points = [
            (pgettext("a step of an execution", "queued"), "still", came, wakes),
            (pgettext("a step of an execution", "waking"), "dawn", wakes, ready),
            (pgettext("a step of an execution", "its turn"), "still", ready, begun),
        ]
    else:
        points = [(pgettext("a step of an execution", "queued"), "still", came, begun)]
    if started is not None:
        points.append((pgettext("a step of an execution", "running"), "run", begun, end))
    whole = max((end - came).total_seconds(), 1e-6)
    return [
        Step(
            word,
            tone,
            round(100 * (first - came).total_seconds() / whole, 2),
            max(0.6, round(100 * (last - first).total_seconds() / whole, 2)),
            (last - first).total_seconds(),
        )
        for word, tone, first, last in points
        if last > first
    ]


def hardware(execution: Execution) -> str:
    """ "bench-1 · 8 processors · 32000 MB of memory"."""
    known = {
        "cpus": _("{count} processors"),
        "memory_mb": _("{count} MB of memory"),
        "gpus": _("{count} graphics cards"),
    }
    plain = ("machine", "name", "runner", "platform", "python", "processor")
    order = [*plain, *known, *(name for name in execution.hardware if name not in {*plain, *known})]
    said = ((name, execution.hardware.get(name)) for name in order)
    return " · ".join(
        known[name].format(count=value) if name in known else str(value) if name in plain else f"{name} {value}"
        for name, value in said
        if value
    )


_DIGESTS = {
    "release": gettext_lazy("Release"),
    "environment": gettext_lazy("Environment"),
    "model": gettext_lazy("Model"),
    "inputs": gettext_lazy("Inputs"),
    "outputs": gettext_lazy("Outputs"),
}


def digests(execution: Execution) -> list[tuple[str, str]]:
    """Each artifact with the digest that names it, the release first."""
    names = [*_DIGESTS, *(name for name in execution.digests if name not in _DIGESTS)]
    return [
        (str(_DIGESTS.get(name, name.capitalize())), execution.digests[name])
        for name in names
        if execution.digests.get(name)
    ]
