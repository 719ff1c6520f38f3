"""Stories: what an application is doing and why, in sentences. Floor 3."""

from dataclasses import dataclass
from typing import Any

from ovd import preloads
from ovd_saas.domain import health, learning, service, status
from ovd_saas.store.records import Application

_DOING = {
    service.ASLEEP: "Asleep",
    service.WAKING: "Waking up",
    service.AWAKE: "Awake",
    service.DRAINING: "Falling asleep",
}
_LEARNING = {
    learning.DUE: "Learning is due.",
    learning.LEARNING: "It is learning.",
    learning.YIELDING: "Learning gives way to a user.",
    learning.EVALUATING: "What it learned is being judged.",
}
_DECIDED = {
    status.DRAFT: "Draft",
    status.SUSPENDED: "Suspended",
    status.RETIRED: "Retired",
}


@dataclass(frozen=True)
class Story:
    """Doing and why: "Asleep since 14:02: Nobody used it for 300 seconds."."""

    doing: str  # without a full stop; the moment `since` follows it
    why: str
    learning: str


def of(application: Application) -> Story:
    doing = _DOING.get(application.service, application.service)
    if application.status != status.ENABLED:
        decided = _DECIDED[application.status]
        doing = decided if application.service == service.ASLEEP else f"{decided}; {doing.lower()}"
    elif application.health == health.FAULTY:
        doing = f"Faulty; {doing.lower()}"
    return Story(
        doing=doing,
        why=application.reason,
        learning=_LEARNING.get(application.learning, ""),
    )


def learns(application: Application) -> bool:
    """Whether there is anything to say about its learning."""
    manifest = application.release.manifest if application.release else {}
    return bool(manifest.get("learn")) or application.model_id is not None


def waking(manifest: dict[str, Any]) -> list[tuple[str, str]]:
    """How it wakes, and what keeps it awake, in words."""
    execute, sleep = manifest.get("execute", {}), manifest.get("sleep", {})
    names = preloads.libraries(sleep.get("preload") or [])
    birth = "imports everything itself" if sleep.get("wake") == "spawn" else "is forked from a template"
    said = [
        ("A process", f"{birth}, which has imported {', '.join(names)}" if names else birth),
        ("Kept awake", f"{sleep.get('keep_awake')}, {sleep.get('time_zone')}" if sleep.get("keep_awake") else ""),
        ("Woken ahead", "of regular use" if sleep.get("predict") else ""),
        ("Processes at once", f"up to {execute['max_replicas']}" if execute.get("max_replicas", 1) > 1 else ""),
    ]
    return [(name, words) for name, words in said if words and manifest]


def limits(manifest: dict[str, Any]) -> list[tuple[str, str]]:
    """What the manifest declares about resources and time, in words."""
    resources, execute, sleep = (manifest.get(part, {}) for part in ("resources", "execute", "sleep"))
    said = [
        ("Memory", resources.get("memory_mb"), "MB"),
        ("Processors", resources.get("cpus"), ""),
        ("Graphics cards", resources.get("gpus") or None, ""),
        ("Disk", resources.get("disk_mb"), "MB"),
        ("Time for one run", execute.get("timeout"), "s"),
        ("Runs at once", execute.get("concurrency"), ""),
        ("Most in the queue", execute.get("max_queue"), ""),
        ("Attempts", execute.get("max_attempts"), ""),
        ("Falls asleep after", sleep.get("after"), "s of quiet"),
    ]
    return [(name, f"{value:g} {unit}".strip()) for name, value, unit in said if isinstance(value, int | float)]
