"""Facts: what people want of an application, and what AppCore sees of it. Floor 0: pure."""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from ovd_saas.domain.admission import Memory
from ovd_saas.domain.habits import Expected
from ovd_saas.domain.hours import Hours
from ovd_saas.domain.schedules import is_zone


@dataclass(frozen=True)
class Next:
    """What happens next, and when if a moment is known."""

    what: str  # a sentence without its moment
    at: datetime | None


@dataclass(frozen=True)
class ProcessFacts:
    """One serving process, as the database and the runner know it."""

    id: str
    state: str  # processes.STARTING, READY, DRAINING or ENDED
    edition: str  # id
    in_flight: int  # executions it works on
    started_at: datetime
    condemned: bool  # a person or a deadline wants it killed
    lost: bool  # its runner no longer knows it
    ready_at: datetime | None = None  # None: not yet, or long ago
    how: str = ""  # it was born: processes.FORK, TEMPLATE or SPAWN; empty: not told yet
    ready_seconds: float | None = None  # from the order to being ready
    used_at: datetime | None = None  # when it was last seen to execute; only known where there are several


@dataclass(frozen=True)
class Desired:
    """What people chose: status, edition, policy and wishes."""

    status: str  # status.DRAFT, ENABLED, SUSPENDED or RETIRED
    edition: str | None  # id of the current edition: a release with a model version, or without one
    sleep_after: float  # seconds of quiet before it falls asleep
    on_wake: str  # learning.TOGETHER, YIELDS or FINISH
    wake_asked: bool  # a person wants it awake; cleared when it is awake, drains or becomes faulty
    sleep_asked: bool  # a person wants it asleep; cleared whenever it is asleep
    max_start_failures: int = 3  # in a row, then it is faulty
    start_within: float = 300.0  # seconds a process may take to get ready
    upcoming: str | None = None  # id of the edition that takes over as soon as a process of it is ready
    memory_mb: int = 512  # that a process of the current edition holds
    upcoming_memory_mb: int = 512  # likewise, of the upcoming one
    concurrency: int = 1  # executions at once in a process
    max_replicas: int = 1  # processes of the current edition at once
    hours: Hours | None = None  # in which it is kept awake
    time_zone: str = "UTC"  # of its hours and habits
    predict: bool = False  # it may be woken ahead of a use that is regular

    @property
    def zone(self) -> tzinfo:
        return ZoneInfo(self.time_zone) if is_zone(self.time_zone) else UTC


@dataclass(frozen=True)
class Observed:
    """What is so: states of the regions, queue, processes, and how starting went."""

    service: str
    learning: str
    health: str
    queued: int  # executions that wait
    running: int  # executions under a lease
    last_used_at: datetime | None  # end of the last execution, or its start while it runs
    processes: tuple[ProcessFacts, ...]  # serving ones that have not ended
    start_failures: int  # in a row; 0 after a start succeeded, a release got ready, or a person woke it
    retry_at: datetime | None  # moment of the last failure + retry_delay(start_failures)
    runner_up: bool
    application: int = 0  # id
    waiting_since: datetime | None = None  # the oldest that waits was asked for then; None: nobody waits
    waited_seconds: float = 0.0  # the longest that anybody waited lately for a place in a process that was ready
    wakes_at: datetime | None = None  # from then on its hours or habits may wake it; None: nobody has looked yet
    foreseen: Expected | None = None  # a use that is expected, or was
    machine_mb: int | None = None  # for all processes of applications on the machine together; None: without bound
    memory: Memory | None = None  # of the machine, where it matters: something is to be started
    drained: str = ""  # why nothing starts on the machine: a person drains it; a sentence
    lack: str | None = None  # why nothing may be started, as its memory lacks; set by the plan
    learning_waits: str = ""  # why a run that is due has not begun, a sentence
    learns_next: Next | None = None  # what the triggers wait for; None: for nothing, or it learns already
