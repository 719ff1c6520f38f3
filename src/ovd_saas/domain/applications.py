"""Applications: which actions a person may take now, and why not. Floor 0: pure."""

from ovd_saas.domain import service as serving
from ovd_saas.domain import status as statuses

WAKE = "wake"
SLEEP = "sleep"
SUSPEND = "suspend"
ENABLE = "enable"
RETIRE = "retire"
ACTIONS = (WAKE, SLEEP, SUSPEND, ENABLE, RETIRE)

_NOT_ENABLED = {
    statuses.DRAFT: "It is a draft. Push a release that gets ready, then enable it.",
    statuses.SUSPENDED: "It is suspended. Enable it first.",
    statuses.RETIRED: "It is retired, and nothing starts any more.",
}


def legal_actions(status: str, service: str, health: str, *, has_release: bool = True) -> dict[str, str | None]:
    """Each action with the sentence that refuses it, or None where it is legal.

    Buttons show the legal ones; an operation answers 409 with the sentence of the others. A faulty application
    may do what an enabled one may: waking it is how a person asks for another try.
    """
    return {
        WAKE: _why_not_wake(status, service, has_release),
        SLEEP: _why_not_sleep(service),
        SUSPEND: _why_not_suspend(status),
        ENABLE: _why_not_enable(status, has_release),
        RETIRE: _why_not_retire(status),
    }


def refusal(action: str, status: str, service: str, health: str, *, has_release: bool = True) -> str | None:
    """Why one action is not legal now, as a sentence; None when it is. KeyError for an unknown action."""
    return legal_actions(status, service, health, has_release=has_release)[action]


def _why_not_wake(status: str, service: str, has_release: bool) -> str | None:
    if status != statuses.ENABLED:
        return _NOT_ENABLED[status]
    if not has_release:
        return "No release is ready. Push one first."
    if service == serving.WAKING:
        return "It is waking already."
    return "It is awake already." if service == serving.AWAKE else None


def _why_not_sleep(service: str) -> str | None:
    if service == serving.ASLEEP:
        return "It is asleep already."
    return "It is falling asleep already." if service == serving.DRAINING else None


def _why_not_suspend(status: str) -> str | None:
    if status == statuses.SUSPENDED:
        return "It is suspended already."
    return None if status == statuses.ENABLED else _NOT_ENABLED[status]


def _why_not_enable(status: str, has_release: bool) -> str | None:
    if status == statuses.ENABLED:
        return "It is enabled already."
    if status == statuses.RETIRED:
        return "It is retired, which is final. Publish it under a new name."
    return None if has_release else "No release is ready. Push one first."


def _why_not_retire(status: str) -> str | None:
    if status == statuses.RETIRED:
        return "It is retired already."
    if status == statuses.ENABLED:
        return "It is enabled, and retiring is final. Suspend it first."
    return None
