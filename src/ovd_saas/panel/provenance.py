"""Provenance: how an execution came to be, in words. Floor 3."""

from typing import Any

from ovd_saas.store.records import Execution

_KINDS = {
    "api": "through the API",
    "panel": "from the Control Panel",
    "page": "from its own page",
    "sample": "from one of its samples",
    "replay": "as a replay",
}


def cause(execution: Execution) -> str:
    """ "Started from its own page by ana"."""
    kind = execution.cause.get("kind", "")
    who = execution.created_by.username if execution.created_by else execution.caller
    words = _KINDS.get(kind, f"by {kind}" if kind else "")
    return " ".join(part for part in ("Started", words, f"by {who}" if who else "") if part)


def cause_details(execution: Execution) -> list[tuple[str, Any]]:
    return [(name.replace("_", " ").capitalize(), value) for name, value in execution.cause.items() if name != "kind"]


def hardware(execution: Execution) -> str:
    """ "bench-1 · 8 processors · 32000 MB"."""
    known = {"cpus": "{} processors", "memory_mb": "{} MB of memory", "gpus": "{} graphics cards"}
    plain = ("machine", "name", "runner", "platform", "python", "processor")
    order = [*plain, *known, *(name for name in execution.hardware if name not in {*plain, *known})]
    said = ((name, execution.hardware.get(name)) for name in order)
    return " · ".join(
        known[name].format(value) if name in known else str(value) if name in plain else f"{name} {value}"
        for name, value in said
        if value
    )


def digests(execution: Execution) -> list[tuple[str, str]]:
    """Each artifact with the digest that names it, the release first."""
    order = ("release", "environment", "model", "inputs", "outputs")
    names = [*order, *(name for name in execution.digests if name not in order)]
    return [(name.capitalize(), execution.digests[name]) for name in names if execution.digests.get(name)]
