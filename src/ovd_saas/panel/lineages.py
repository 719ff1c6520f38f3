"""Lineages: which version came from which, as rows with rails between them, the newest first. Floor 3."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ovd_saas.domain import models as states
from ovd_saas.store.queries.models import DataStep, Stretch
from ovd_saas.store.records import ModelVersion

LANE = 18  # width of a rail, in pixels
WIDEST = 5  # rails beside each other; more are drawn on the last one


@dataclass(frozen=True)
class Line:
    """A piece of a rail in the row's drawing, whose height is 100."""

    x1: int
    y1: int
    x2: int
    y2: int
    is_live: bool  # it belongs to a version that is or was live

    @property
    def middle(self) -> int:
        """Where it turns."""
        return (self.y1 + self.y2) // 2


@dataclass(frozen=True)
class Row:
    """One version, its place and the rails that pass it."""

    model: ModelVersion
    x: int
    width: int
    lines: list[Line]
    data: DataStep | None  # what it was the first to learn from
    stretches: list[Stretch]  # when it was live, oldest first

    @property
    def was_brought_back(self) -> bool:
        """Whether people or the watch went back to it."""
        return any(one.promotion.kind == "rollback" for one in self.stretches)


def rows(
    versions: Sequence[ModelVersion], data: Mapping[int, DataStep], live: Mapping[int, list[Stretch]]
) -> list[Row]:
    """`versions` newest first. A rail leads from each down to its parent; one whose parent is not among them leaves the
    drawing below."""
    rails: list[ModelVersion | None] = []  # lane -> the version whose rail runs there, towards its parent
    found: list[tuple[ModelVersion, int, list[Line]]] = []
    for model in versions:
        mine = [lane for lane, child in enumerate(rails) if child is not None and child.parent_id == model.pk]
        lane = mine[0] if mine else _free(rails)
        lines = [
            _line(at, 0, lane if at in mine else at, 50, child) for at, child in enumerate(rails) if child is not None
        ]
        for at in mine:
            rails[at] = None
        passing = [(at, child) for at, child in enumerate(rails) if child is not None]
        lines += [_line(at, 50, at, 100, child) for at, child in passing]
        if model.parent_id is not None:
            same = next((at for at, child in passing if child.parent_id == model.parent_id), None)
            lines.append(_line(lane, 50, lane if same is None else same, 100, model))
            if same is None:
                rails[lane] = model
            elif _lived(model):
                rails[same] = model
        found.append((model, lane, lines))
    lanes = min(max((lane for _, lane, _ in found), default=0) + 1, WIDEST)
    return [
        Row(model, _x(lane), lanes * LANE, lines, data.get(model.pk), live.get(model.pk, []))
        for model, lane, lines in found
    ]


def _free(rails: list[ModelVersion | None]) -> int:
    for lane, child in enumerate(rails):
        if child is None:
            return lane
    rails.append(None)
    return len(rails) - 1


def _line(from_lane: int, y1: int, to_lane: int, y2: int, child: ModelVersion) -> Line:
    return Line(_x(from_lane), y1, _x(to_lane), y2, _lived(child))


def _lived(model: ModelVersion) -> bool:
    return model.state in (states.ACTIVE, states.RETIRED)


def _x(lane: int) -> int:
    return min(lane, WIDEST - 1) * LANE + LANE // 2
