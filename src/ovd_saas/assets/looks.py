"""Looks: each state with its tone, icon and word; the one table that pages show states by. Pure.

The tones are the classes `tone-…` of `static/ovd/states.css`, the icons those of `icons.txt`.
"""

from dataclasses import dataclass
from typing import Any

from ovd_saas.domain import (
    executions,
    health,
    learning,
    learning_runs,
    models,
    phase,
    processes,
    releases,
    service,
    status,
)


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
LEARNING_RUNS = {
    learning_runs.QUEUED: Look("still", "clock", "queued"),
    learning_runs.RUNNING: Look("learn", "school", "learning", True),
    learning_runs.PAUSED: Look("dusk", "player-pause", "paused"),
    learning_runs.EVALUATING: Look("learn", "scale", "being judged", True),
    learning_runs.AWAITING: Look("dawn", "hourglass", "awaits approval"),
    learning_runs.PROMOTED: Look("go", "circle-check", "promoted"),
    learning_runs.REJECTED: Look("dusk", "thumb-down", "rejected"),
    learning_runs.FAILED: Look("bad", "x", "failed"),
    learning_runs.CANCELLED: Look("still", "ban", "cancelled"),
}
MODELS = {
    models.CANDIDATE: Look("dawn", "hourglass", "candidate"),
    models.ACTIVE: Look("go", "circle-check", "live"),
    models.REJECTED: Look("dusk", "thumb-down", "rejected"),
    models.RETIRED: Look("still", "archive", "was live"),
}
BATCHES = {
    "pending": Look("dawn", "hourglass", "pending"),
    "learning": Look("learn", "school", "being learned", True),
    "learned": Look("go", "check", "learned"),
    "taken_down": Look("still", "eraser", "taken down"),
}
DECISIONS = {
    "due": Look("learn", "school", "learning is due"),
    "waits": Look("dawn", "clock", "waits"),
    "skipped": Look("still", "ban", "skipped"),
}
TRIGGERS = {
    "schedule": Look("still", "calendar-time", "schedule"),
    "data": Look("still", "database-import", "data"),
    "notice": Look("still", "bell", "notice"),
    "drift": Look("still", "wave-sine", "drift"),
    "manual": Look("still", "hand-click", "by hand"),
}
DELIVERIES = {
    "intake": Look("still", "inbox", "sent in"),
    "feedback": Look("still", "message-2", "feedback"),
    "execution": Look("still", "player-play", "from an execution"),
    "source": Look("still", "folder", "from a source"),
}
PROMOTIONS = {
    "promote": Look("go", "circle-check", "promoted"),
    "rollback": Look("dusk", "arrow-back-up", "rolled back"),
}
RUNNERS = {
    True: Look("go", "server-2", "up"),
    False: Look("bad", "plug-connected-x", "down"),
}
NETWORK = Look("hold", "world", "network")
BIRTHS = {  # how a process began: a word, and what it means
    "fork": ("forked", "A template that had imported its libraries was there: it was forked."),
    "template": (
        "forked, first one",
        "Its template had to be built first: the libraries were imported while it waited.",
    ),
    "spawn": (
        "from nothing",
        "It imported its libraries itself, as its manifest asks or because there is no template.",
    ),
}
REGIONS = {
    "status": STATUS,
    "service": SERVICE,
    "learning": LEARNING,
    "health": HEALTH,
    "release": RELEASES,
    "model": MODELS,
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
