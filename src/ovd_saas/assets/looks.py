"""Looks: each state with its tone, icon and word; the one table that pages show states by. Pure.

The tones are the classes `tone-…` of `static/ovd/states.css`, the icons those of `icons.txt`.
"""

from dataclasses import dataclass
from typing import Any

from ovd_saas.domain import executions, health, learning, phase, processes, releases, service, status


@dataclass(frozen=True)
class Look:
    """How a state is shown: never by colour alone."""

    tone: str  # a class `tone-…`
    icon: str  # a name in icons.txt
    word: str  # what people read
    is_lively: bool = False  # something is going on: the icon moves, where movement is welcome


FAULTY = Look("bad", "alert-triangle", "faulty")

PHASES = {
    phase.IDLE: Look("night", "moon", "asleep · idle"),
    phase.LEARNING: Look("learn", "school", "asleep · learning"),
    phase.EXECUTING: Look("go", "sun", "awake · executing"),
}
SERVICE = {
    service.ASLEEP: PHASES[phase.IDLE],
    service.WAKING: Look("dawn", "sunrise", "waking", True),
    service.AWAKE: PHASES[phase.EXECUTING],
    service.DRAINING: Look("dusk", "sunset", "falling asleep", True),
}
STATUS = {
    status.DRAFT: Look("still", "pencil", "draft"),
    status.ENABLED: Look("go", "circle-check", "enabled"),
    status.SUSPENDED: Look("hold", "player-pause", "suspended"),
    status.RETIRED: Look("still", "archive", "retired"),
}
HEALTH = {
    health.HEALTHY: Look("go", "circle-check", "healthy"),
    health.FAULTY: FAULTY,
}
LEARNING = {
    learning.RESTING: Look("night", "moon", "resting"),
    learning.DUE: Look("dawn", "clock", "due"),
    learning.LEARNING: Look("learn", "school", "learning", True),
    learning.YIELDING: Look("dusk", "player-pause", "giving way"),
    learning.EVALUATING: Look("learn", "activity", "evaluating", True),
}
EXECUTIONS = {
    executions.QUEUED: Look("still", "clock", "queued"),
    executions.RUNNING: Look("run", "loader-2", "running", True),
    executions.SUCCEEDED: Look("go", "check", "succeeded"),
    executions.FAILED: Look("bad", "x", "failed"),
    executions.REJECTED: Look("dusk", "hand-stop", "rejected"),
    executions.CANCELLED: Look("still", "ban", "cancelled"),
    executions.EXPIRED: Look("hold", "hourglass-off", "expired"),
}
RELEASES = {
    releases.BUILDING: Look("run", "hammer", "building", True),
    releases.READY: Look("go", "check", "ready"),
    releases.FAILED: Look("bad", "x", "failed"),
}
PROCESSES = {
    processes.STARTING: Look("dawn", "sunrise", "starting", True),
    processes.READY: Look("go", "sun", "ready"),
    processes.DRAINING: Look("dusk", "sunset", "draining", True),
    processes.ENDED: Look("still", "moon", "ended"),
}
RUNNERS = {
    True: Look("go", "server-2", "up"),
    False: Look("bad", "plug-connected-x", "down"),
}
REGIONS = {
    "status": STATUS,
    "service": SERVICE,
    "learning": LEARNING,
    "health": HEALTH,
    "release": RELEASES,
}
ACTIONS = {
    "wake": Look("go", "sun", "Wake"),
    "sleep": Look("night", "moon", "Put to sleep"),
    "suspend": Look("hold", "player-pause", "Suspend"),
    "enable": Look("go", "player-play", "Enable"),
    "retire": Look("bad", "archive", "Retire…"),
}
ACTION_EFFECTS = {
    "wake": "Starts a process now, so that the next run need not wait. It falls asleep again after its quiet time.",
    "sleep": "What runs may finish; then its processes end. The next run wakes it again.",
    "suspend": "Nothing starts any more and new runs are refused; everything is kept. You can enable it again.",
    "enable": "Opens it: from now on a run wakes it, and what waits in its queue is executed.",
    "retire": "Ends it for good: nothing starts any more, what waits fails, its archive stays readable. Final.",
}
UNKNOWN = "info-circle"


def of(table: dict[Any, Look], state: Any) -> Look:
    """The look of a state; one that the table does not know is shown plainly by its own name."""
    return table.get(state) or Look("still", UNKNOWN, str(state).replace("_", " "))


def application(application: Any) -> Look:
    """What a person should see first of an application: what is wrong, what people decided, else its phase."""
    if application.health == health.FAULTY and application.status == status.ENABLED:
        return FAULTY
    return living(application)


def living(application: Any) -> Look:
    """What people decided, else its phase."""
    if application.status != status.ENABLED and application.service == service.ASLEEP:
        return of(STATUS, application.status)
    if application.service in (service.WAKING, service.DRAINING):
        return of(SERVICE, application.service)
    return of(PHASES, phase.phase(application.service, application.learning))
