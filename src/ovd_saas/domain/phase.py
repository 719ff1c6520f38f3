"""Phase: what people see of an application's regions. Floor 0: pure."""

from ovd_saas.domain import learning as learnings
from ovd_saas.domain import service as serving

IDLE = "idle"  # asleep, and nothing is learned
LEARNING = "learning"  # asleep, and learning
EXECUTING = "executing"  # waking, awake or draining; it may learn beside

PHASES = (IDLE, LEARNING, EXECUTING)


def phase(service: str, learning: str) -> str:
    """`idle`, `learning` or `executing`."""
    if service != serving.ASLEEP:
        return EXECUTING
    return LEARNING if learning in learnings.OCCUPIED else IDLE


def words(service: str, learning: str) -> str:
    """What people read: "asleep · idle", "asleep · learning", "awake · executing", with what is beside."""
    what = phase(service, learning)
    if what != EXECUTING:
        return f"{serving.ASLEEP} · {what}"
    beside = ", learning in the background" if learning in learnings.OCCUPIED else ""
    return f"{serving.AWAKE} · {what}{beside}"
