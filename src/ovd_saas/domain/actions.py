"""Actions: what a plan asks AppCore to do. Floor 0: pure."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class StartProcess:
    """Have the runner start a serving process of an edition (a release with a model version)."""

    edition: str  # id
    is_extra: bool = False  # one more of an edition that serves already


@dataclass(frozen=True)
class MakeRoom:
    """It waits for memory: have applications that are awake and do nothing give theirs."""

    needs_mb: int
    since: datetime | None  # when whoever waits began to; None: nobody does, and those who do come first
    reason: str  # why it does not start, for people
    may_take: bool = True  # False: it waits for what is free by itself


@dataclass(frozen=True)
class DrainProcess:
    """Have a process finish what it runs and take no more."""

    process: str  # id
    reason: str


@dataclass(frozen=True)
class KillProcess:
    """Have the runner kill a process group now."""

    process: str  # id
    reason: str


@dataclass(frozen=True)
class ForgetProcess:
    """Mark a process as ended that its runner no longer knows."""

    process: str  # id
    reason: str


@dataclass(frozen=True)
class Move:
    """Cause an event in a region of the application."""

    region: str  # "service", "learning" or "health"
    event: str  # an event of that region's machine
    reason: str


@dataclass(frozen=True)
class FailQueued:
    """Fail every queued execution of the application."""

    code: str  # "faulty", "too_large" or "retired", for the callers' programs
    reason: str  # sentence, for the callers


Action = StartProcess | MakeRoom | DrainProcess | KillProcess | ForgetProcess | Move | FailQueued

SERVICE = "service"
LEARNING = "learning"
HEALTH = "health"
