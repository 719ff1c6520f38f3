"""Stories: what an application is doing and why, in sentences. Floor 3."""

from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from ovd import preloads
from ovd_saas.domain import health, learning, service, status
from ovd_saas.store.records import Application

Words = str | Promise

_DOING: dict[str, Words] = {
    service.ASLEEP: gettext_lazy("Asleep"),
    service.WAKING: gettext_lazy("Waking up"),
    service.AWAKE: gettext_lazy("Awake"),
    service.DRAINING: gettext_lazy("Falling asleep"),
}
_LEARNING: dict[str, Words] = {
    learning.DUE: gettext_lazy("Learning is due."),
    learning.LEARNING: gettext_lazy("It is learning."),
    learning.YIELDING: gettext_lazy("Learning gives way to a user."),
    learning.EVALUATING: gettext_lazy("What it learned is being judged."),
}
_DECIDED: dict[str, Words] = {
    status.DRAFT: pgettext_lazy("an application is", "Draft"),
    status.SUSPENDED: pgettext_lazy("an application is", "Suspended"),
    status.RETIRED: pgettext_lazy("an application is", "Retired"),
}
_FAULTY = pgettext_lazy("an application is", "Faulty")


@dataclass(frozen=True)
class Story:
    """Doing and why: "Asleep since 14:02: Nobody used it for 300 seconds."."""

    doing: str  # without a full stop; the moment `since` follows it
    why: str
    learning: str


def of(application: Application) -> Story:
    doing = str(_DOING.get(application.service, application.service))
    if application.status != status.ENABLED:
        decided = str(_DECIDED[application.status])
        is_still = application.service == service.ASLEEP
        doing = decided if is_still else _("{decided}; {doing}").format(decided=decided, doing=doing.lower())
    elif application.health == health.FAULTY:
        doing = _("{decided}; {doing}").format(decided=_FAULTY, doing=doing.lower())
    return Story(
        doing=doing,
        why=application.reason,
        learning=str(_LEARNING.get(application.learning, "")),
    )


def learns(application: Application) -> bool:
    """Whether there is anything to say about its learning."""
    manifest = application.release.manifest if application.release else {}
    return bool(manifest.get("learn")) or application.model_id is not None


def waking(manifest: dict[str, Any]) -> list[tuple[str, str]]:
    """How it wakes, and what keeps it awake, in words."""
    execute, sleep = manifest.get("execute", {}), manifest.get("sleep", {})
    names = ", ".join(preloads.libraries(sleep.get("preload") or []))
    said = [
        (_("A process"), _birth(sleep.get("wake") == "spawn", names)),
        (_("Kept awake"), f"{sleep.get('keep_awake')}, {sleep.get('time_zone')}" if sleep.get("keep_awake") else ""),
        (_("Woken ahead"), _("of regular use") if sleep.get("predict") else ""),
        (
            _("Processes at once"),
            _("up to {number}").format(number=execute["max_replicas"]) if execute.get("max_replicas", 1) > 1 else "",
        ),
    ]
    return [(name, words) for name, words in said if words and manifest]


def _birth(is_spawned: bool, names: str) -> str:
    if is_spawned:
        return _("imports everything itself")
    if not names:
        return _("is forked from a template")
    return _("is forked from a template, which has imported {names}").format(names=names)


def limits(manifest: dict[str, Any]) -> list[tuple[str, str]]:
    """What the manifest declares about resources and time, in words."""
    resources, execute, sleep = (manifest.get(part, {}) for part in ("resources", "execute", "sleep"))
    said = [
        (_("Memory"), resources.get("memory_mb"), _("{value} MB")),
        (_("Processors"), resources.get("cpus"), "{value}"),
        (_("Graphics cards"), resources.get("gpus") or None, "{value}"),
        (_("Disk"), resources.get("disk_mb"), _("{value} MB")),
        (_("Time for one run"), execute.get("timeout"), _("{value} s")),
        (_("Runs at once"), execute.get("concurrency"), "{value}"),
        (_("Most in the queue"), execute.get("max_queue"), "{value}"),
        (_("Attempts"), execute.get("max_attempts"), "{value}"),
        (_("Falls asleep after"), sleep.get("after"), _("{value} s of quiet")),
    ]
    return [(name, unit.format(value=f"{value:g}")) for name, value, unit in said if isinstance(value, int | float)]
