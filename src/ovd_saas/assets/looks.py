"""Looks: each state with its tone, icon and word; the one table that pages show states by. Pure.

The tones are the classes `tone-…` of `static/ovd/states.css`, the icons those of `icons.txt`.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

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

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise


@dataclass(frozen=True)
class Look:
    """How a state is shown: never by colour alone."""

    tone: str  # a class `tone-…`
    icon: str  # a name in icons.txt
    said: "str | _StrPromise"  # what people read, as `_("…")`
    is_lively: bool = False  # something is going on: the icon moves, where movement is welcome

    @property
    def word(self) -> str:
        """What people read, in their language."""
        return str(self.said)


FAULTY = Look("bad", "alert-triangle", _("faulty"))

PHASES = {
    phase.IDLE: Look("night", "moon", _("asleep · idle")),
    phase.LEARNING: Look("learn", "school", _("asleep · learning")),
    phase.EXECUTING: Look("go", "sun", _("awake · executing")),
}
SERVICE = {
    service.ASLEEP: PHASES[phase.IDLE],
    service.WAKING: Look("dawn", "sunrise", _("waking"), True),
    service.AWAKE: PHASES[phase.EXECUTING],
    service.DRAINING: Look("dusk", "sunset", _("falling asleep"), True),
}
STATUS = {
    status.DRAFT: Look("still", "pencil", pgettext_lazy("application", "draft")),
    status.ENABLED: Look("go", "circle-check", pgettext_lazy("application", "enabled")),
    status.SUSPENDED: Look("hold", "player-pause", pgettext_lazy("application", "suspended")),
    status.RETIRED: Look("still", "archive", pgettext_lazy("application", "retired")),
}
HEALTH = {
    health.HEALTHY: Look("go", "circle-check", pgettext_lazy("application", "healthy")),
    health.FAULTY: FAULTY,
}
LEARNING = {
    learning.RESTING: Look("night", "moon", _("resting")),
    learning.DUE: Look("dawn", "clock", _("due")),
    learning.LEARNING: Look("learn", "school", _("learning"), True),
    learning.YIELDING: Look("dusk", "player-pause", _("giving way")),
    learning.EVALUATING: Look("learn", "activity", _("evaluating"), True),
}
EXECUTIONS = {
    executions.QUEUED: Look("still", "clock", pgettext_lazy("execution", "queued")),
    executions.RUNNING: Look("run", "loader-2", pgettext_lazy("execution", "running"), True),
    executions.SUCCEEDED: Look("go", "check", pgettext_lazy("execution", "succeeded")),
    executions.FAILED: Look("bad", "x", pgettext_lazy("execution", "failed")),
    executions.REJECTED: Look("dusk", "hand-stop", pgettext_lazy("execution", "rejected")),
    executions.CANCELLED: Look("still", "ban", pgettext_lazy("execution", "cancelled")),
    executions.EXPIRED: Look("hold", "hourglass-off", pgettext_lazy("execution", "expired")),
}
RELEASES = {
    releases.BUILDING: Look("run", "hammer", pgettext_lazy("release", "building"), True),
    releases.READY: Look("go", "check", pgettext_lazy("release", "ready")),
    releases.FAILED: Look("bad", "x", pgettext_lazy("release", "failed")),
}
PROCESSES = {
    processes.STARTING: Look("dawn", "sunrise", pgettext_lazy("process", "starting"), True),
    processes.READY: Look("go", "sun", pgettext_lazy("process", "ready")),
    processes.DRAINING: Look("dusk", "sunset", pgettext_lazy("process", "draining"), True),
    processes.ENDED: Look("still", "moon", pgettext_lazy("process", "ended")),
}
LEARNING_RUNS = {
    learning_runs.QUEUED: Look("still", "clock", pgettext_lazy("learning run", "queued")),
    learning_runs.RUNNING: Look("learn", "school", pgettext_lazy("learning run", "learning"), True),
    learning_runs.PAUSED: Look("dusk", "player-pause", pgettext_lazy("learning run", "paused")),
    learning_runs.EVALUATING: Look("learn", "scale", pgettext_lazy("learning run", "being judged"), True),
    learning_runs.AWAITING: Look("dawn", "hourglass", pgettext_lazy("learning run", "awaits approval")),
    learning_runs.PROMOTED: Look("go", "circle-check", pgettext_lazy("learning run", "promoted")),
    learning_runs.REJECTED: Look("dusk", "thumb-down", pgettext_lazy("learning run", "rejected")),
    learning_runs.FAILED: Look("bad", "x", pgettext_lazy("learning run", "failed")),
    learning_runs.CANCELLED: Look("still", "ban", pgettext_lazy("learning run", "cancelled")),
}
MODELS = {
    models.CANDIDATE: Look("dawn", "hourglass", pgettext_lazy("model", "candidate")),
    models.ACTIVE: Look("go", "circle-check", pgettext_lazy("model", "live")),
    models.REJECTED: Look("dusk", "thumb-down", pgettext_lazy("model", "rejected")),
    models.RETIRED: Look("still", "archive", pgettext_lazy("model", "was live")),
}
BATCHES = {
    "pending": Look("dawn", "hourglass", pgettext_lazy("batch", "pending")),
    "learning": Look("learn", "school", pgettext_lazy("batch", "being learned"), True),
    "learned": Look("go", "check", pgettext_lazy("batch", "learned")),
    "taken_down": Look("still", "eraser", pgettext_lazy("batch", "taken down")),
}
DECISIONS = {
    "due": Look("learn", "school", pgettext_lazy("trigger", "learning is due")),
    "waits": Look("dawn", "clock", pgettext_lazy("trigger", "waits")),
    "skipped": Look("still", "ban", pgettext_lazy("trigger", "skipped")),
}
TRIGGERS = {
    "schedule": Look("still", "calendar-time", _("schedule")),
    "data": Look("still", "database-import", _("data")),
    "notice": Look("still", "bell", _("notice")),
    "drift": Look("still", "wave-sine", _("drift")),
    "manual": Look("still", "hand-click", _("by hand")),
}
DELIVERIES = {
    "intake": Look("still", "inbox", _("sent in")),
    "feedback": Look("still", "message-2", _("feedback")),
    "execution": Look("still", "player-play", _("from an execution")),
    "source": Look("still", "folder", _("from a source")),
}
PROMOTIONS = {
    "promote": Look("go", "circle-check", pgettext_lazy("model", "promoted")),
    "rollback": Look("dusk", "arrow-back-up", pgettext_lazy("model", "rolled back")),
}
RUNNERS = {
    True: Look("go", "server-2", pgettext_lazy("runner", "up")),
    False: Look("bad", "plug-connected-x", pgettext_lazy("runner", "down")),
    "drained": Look("hold", "player-pause", pgettext_lazy("runner", "being drained")),
}
NETWORK = Look("hold", "world", _("network"))
BIRTHS = {  # how a process began: a word, and what it means
    "fork": (_("forked"), _("A template that had imported its libraries was there: it was forked.")),
    "template": (
        _("forked, first one"),
        _("Its template had to be built first: the libraries were imported while it waited."),
    ),
    "spawn": (
        _("from nothing"),
        _("It imported its libraries itself, as its manifest asks or because there is no template."),
    ),
}
TRIGGERING = {
    "watched": Look("go", "bell", _("learns by itself")),
    "paused": Look("hold", "player-pause", _("learns only when asked")),
}
REGIONS = {
    "triggers": TRIGGERING,
    "status": STATUS,
    "service": SERVICE,
    "learning": LEARNING,
    "health": HEALTH,
    "release": RELEASES,
    "model": MODELS,
}
ACTIONS = {
    "wake": Look("go", "sun", _("Wake")),
    "sleep": Look("night", "moon", _("Put to sleep")),
    "suspend": Look("hold", "player-pause", _("Suspend")),
    "enable": Look("go", "player-play", _("Enable")),
    "retire": Look("bad", "archive", _("Retire…")),
    "learn": Look("learn", "school", _("Learn now")),
}
ACTION_EFFECTS = {
    "wake": _("Starts a process now, so that the next run need not wait. It falls asleep again after its quiet time."),
    "sleep": _("What runs may finish; then its processes end. The next run wakes it again."),
    "suspend": _("Nothing starts any more and new runs are refused; everything is kept. You can enable it again."),
    "enable": _("Opens it: from now on a run wakes it, and what waits in its queue is executed."),
    "learn": _("Starts a learning run on the data that came; what it learns goes live only when the gate lets it."),
    "retire": _("Ends it for good: nothing starts any more, what waits fails, its archive stays readable. Final."),
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
