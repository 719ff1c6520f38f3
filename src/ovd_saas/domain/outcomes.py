"""Outcomes: what becomes of a lost execution, and whose turn is next. Floor 0: pure."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from ovd_saas.domain import executions


def after_loss(attempts: int, max_attempts: int) -> str:
    """The event for an execution whose process was lost: `requeue` while attempts remain, else `fail`.

    `attempts` counts how often it was claimed, the lost one included.
    """
    return executions.REQUEUE if attempts < max_attempts else executions.FAIL


_NEVER = datetime.min.replace(tzinfo=UTC)
_NOBODY: Mapping[str, datetime] = {}


def fair(queue: Sequence[tuple[str, str, datetime]], served: Mapping[str, datetime] = _NOBODY) -> list[str]:
    """The ids of `(id, caller, created_at)` in the order of their turn.

    Round robin over callers, oldest first within one: the n-th execution of a caller comes after every
    caller's (n-1)-th, so that one who sends a thousand does not keep the others waiting. `served` says when something
    of a caller last started: whoever was served longest ago, or never, comes first in a round.
    """
    turns: dict[str, int] = {}
    ranked = []
    for id_, caller, created_at in sorted(queue, key=lambda entry: (entry[2], entry[0])):
        turn = turns.get(caller, 0)
        turns[caller] = turn + 1
        ranked.append((turn, served.get(caller, _NEVER), created_at, id_))
    return [entry[-1] for entry in sorted(ranked)]


def position(
    queue: Sequence[tuple[str, str, datetime]], id_: str, served: Mapping[str, datetime] = _NOBODY
) -> int | None:
    """The place of an execution in the queue, 1 = next; None when it does not wait."""
    order = fair(queue, served)
    return order.index(id_) + 1 if id_ in order else None
