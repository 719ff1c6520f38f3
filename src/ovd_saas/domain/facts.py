"""Facts: what people want of an application, and what AppCore sees of it. Floor 0: pure."""

from dataclasses import dataclass
from datetime import datetime


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
    learns_next: Next | None = None  # what the triggers wait for; None: for nothing, or it learns already
