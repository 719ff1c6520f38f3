"""Layouts: where the states of each machine stand in its drawing. Floor 0: pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ovd_saas.domain.executions import EXECUTION
from ovd_saas.domain.health import HEALTH
from ovd_saas.domain.learning import LEARNING_REGION
from ovd_saas.domain.learning_runs import LEARNING_RUN, OPEN
from ovd_saas.domain.machine import Machine
from ovd_saas.domain.models import MODEL
from ovd_saas.domain.processes import PROCESS
from ovd_saas.domain.releases import RELEASE
from ovd_saas.domain.service import SERVICE
from ovd_saas.domain.status import STATUS

WIDTH = 480  # units; narrow enough to be read on a telephone
Point = tuple[float, float]


@dataclass(frozen=True)
class Frame:
    """A box around several states; an event that all of them have, with one target, leaves the box as one arrow."""

    states: tuple[str, ...]
    event: str
    left: float
    top: float
    right: float
    bottom: float
    start: Point  # where the common arrow leaves it


@dataclass(frozen=True)
class Layout:
    """The drawing of one machine: centres of its states, and what arrows need to keep out of each other's way."""

    machine: Machine
    height: float
    places: Mapping[str, Point]
    bends: Mapping[tuple[str, str], float] = field(default_factory=dict)  # units to the right of the arrow
    labels: Mapping[tuple[str, str], float] = field(default_factory=dict)  # where on the arrow, 0 … 1
    flipped: frozenset[tuple[str, str]] = frozenset()  # label on the other side
    frames: tuple[Frame, ...] = ()


LAYOUTS = {
    "status": Layout(
        STATUS,
        height=154,
        places={"draft": (60, 34), "enabled": (235, 34), "suspended": (420, 34), "retired": (235, 128)},
        labels={("suspended", "retired"): 0.62, ("draft", "retired"): 0.62},
        flipped=frozenset({("draft", "retired"), ("suspended", "retired")}),
        bends={("enabled", "suspended"): -16, ("suspended", "enabled"): -16},
    ),
    "health": Layout(
        HEALTH,
        height=68,
        places={"healthy": (120, 34), "faulty": (360, 34)},
        bends={("healthy", "faulty"): -16, ("faulty", "healthy"): -16},
    ),
    "service": Layout(
        SERVICE,
        height=262,
        places={"asleep": (60, 110), "waking": (240, 34), "awake": (420, 110), "draining": (240, 186)},
        bends={
            ("asleep", "waking"): -16,
            ("waking", "asleep"): -16,
            ("waking", "draining"): -22,
            ("draining", "waking"): -22,
            ("awake", "asleep"): -132,
        },
    ),
    "learning": Layout(
        LEARNING_REGION,
        height=384,
        places={
            "resting": (60, 210),
            "due": (240, 84),
            "learning": (420, 210),
            "yielding": (272, 210),
            "evaluating": (240, 346),
        },
        bends={
            ("resting", "due"): -16,
            ("due", "resting"): -16,
            ("due", "learning"): -16,
            ("learning", "due"): -16,
            ("learning", "resting"): 186,
            ("evaluating", "resting"): -14,
            ("learning", "evaluating"): -14,
        },
        labels={
            ("resting", "due"): 0.84,
            ("due", "resting"): 0.7,
            ("due", "learning"): 0.3,
            ("yielding", "resting"): 0.68,
            ("learning", "due"): 0.3,
        },
        flipped=frozenset({("yielding", "resting")}),
    ),
    "execution": Layout(
        EXECUTION,
        height=238,
        places={
            "queued": (100, 34),
            "running": (370, 34),
            "expired": (48, 210),
            "cancelled": (144, 210),
            "failed": (240, 210),
            "rejected": (336, 210),
            "succeeded": (432, 210),
        },
        bends={("queued", "running"): -14, ("running", "queued"): -14},
        labels={
            ("queued", "failed"): 0.36,
            ("queued", "cancelled"): 0.7,
            ("running", "cancelled"): 0.3,
            ("running", "failed"): 0.62,
        },
        flipped=frozenset({("queued", "expired")}),
    ),
    "learning run": Layout(
        LEARNING_RUN,
        height=392,
        places={
            "paused": (74, 50),
            "running": (250, 50),
            "queued": (110, 160),
            "evaluating": (330, 160),
            "failed": (430, 50),
            "cancelled": (60, 270),
            "awaiting": (320, 270),
            "rejected": (170, 364),
            "promoted": (426, 364),
        },
        bends={
            ("queued", "running"): -14,
            ("running", "queued"): -14,
            ("paused", "running"): -14,
            ("running", "paused"): -14,
            ("evaluating", "rejected"): 30,
            ("evaluating", "promoted"): -34,
        },
        flipped=frozenset({("awaiting", "promoted")}),
        frames=(Frame(OPEN, "cancel", 16, 20, 384, 198, (60, 198)),),
    ),
    "model version": Layout(
        MODEL,
        height=142,
        places={"candidate": (60, 34), "active": (240, 34), "retired": (420, 34), "rejected": (60, 116)},
        bends={("active", "retired"): -16, ("retired", "active"): -16},
    ),
    "release": Layout(
        RELEASE,
        height=142,
        places={"building": (120, 71), "ready": (360, 34), "failed": (360, 108)},
        bends={("building", "failed"): 16, ("failed", "building"): 16},
    ),
    "process": Layout(
        PROCESS,
        height=196,
        places={"starting": (60, 88), "ready": (240, 88), "draining": (420, 88), "ended": (240, 170)},
        bends={("starting", "draining"): -64},
    ),
}

APPLICATION = ("status", "service", "learning", "health")  # the regions of one application
