"""Actions: what a plan asks AppCore to do. Floor 0: pure."""

from dataclasses import dataclass


@dataclass(frozen=True)
class StartProcess:
    """Have the runner start a serving process of an edition (a release with a model version)."""

    edition: str  # id


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

    code: str  # "faulty" or "retired", for the callers' programs
    reason: str  # sentence, for the callers


Action = StartProcess | DrainProcess | KillProcess | ForgetProcess | Move | FailQueued

SERVICE = "service"
LEARNING = "learning"
HEALTH = "health"
