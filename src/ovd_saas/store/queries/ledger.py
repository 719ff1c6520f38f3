"""The ledger: transitions and evaluations of triggers of many applications in one list, newest first. Floor 1.

Both tables have millions of rows, and most questions match few of them. So no question looks at more than WINDOW rows
of each: a page that finds less than it could show says how far back it looked, and its cursor goes on from there.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.db import connection

from ovd_saas.store.queries import pages
from ovd_saas.store.records import Transition, TriggerEvaluation

WINDOW = 20_000  # rows of a table that one question looks at
LEAST = 200  # of them for each application, however many there are
MOST_APPLICATIONS = 2000  # that are asked one by one; the rows of more are looked for among those of all
SLACK = 10_000  # by how many rows the order of ids and that of moments may differ
TRIGGER = "trigger"  # the kind of evaluations; those of transitions are their regions
_LAST_ID = 1 << 62
_FIRST, _LAST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Asked:
    """Which entries."""

    applications: tuple[int, ...] | None = None  # ids; None: all there are
    kind: str = ""  # a region, or TRIGGER; "" = all
    actor: str = ""  # "user:ana"; "" = anybody
    text: str = ""  # that the reason contains
    since: datetime | None = None
    until: datetime | None = None
    cause: str = ""  # "execution:…": only transitions that it caused


@dataclass(frozen=True)
class Entry:
    """One of the two is there."""

    transition: Transition | None = None
    evaluation: TriggerEvaluation | None = None

    @property
    def key(self) -> str:
        return f"t{self.transition.pk}" if self.transition else f"e{self.evaluation.pk}" if self.evaluation else ""


@dataclass(frozen=True)
class Ledger:
    """A page of it."""

    entries: list[Entry]
    next: str | None  # cursor
    looked_back_to: datetime | None  # the page is short: nothing more was found after this moment; None: it is not
    newest: str  # of its first entries: what `newer` asks about


@dataclass(frozen=True)
class _Row:
    id: int
    at: datetime


@dataclass(frozen=True)
class _Found:
    """What one table gave: rows in order, and where its window ended, if it did before its table."""

    rows: list[_Row] = field(default_factory=list)
    end: _Row | None = None


_START = _Row(_LAST_ID, _LAST)


def page(asked: Asked, *, before: str | None = None, limit: int = pages.USUAL_LIMIT) -> Ledger:
    """At most `limit` entries after the cursor. Raises BadCursor."""
    starts = _starts(before)
    found = [_transitions(asked, starts[0], limit), _evaluations(asked, starts[1], limit)]
    horizon = max((one.end.at for one in found if one.end and len(one.rows) <= limit), default=None)
    taken: tuple[list[_Row], list[_Row]] = ([], [])
    order: list[tuple[int, _Row]] = []
    while len(order) < limit:
        heads = [(one.rows[len(mine)], which) for which, (one, mine) in enumerate(zip(found, taken, strict=True))
                 if len(mine) < len(one.rows)]  # fmt: skip
        if not heads:
            break
        row, which = max(heads, key=lambda head: (head[0].at, -head[1]))
        if horizon is not None and row.at < horizon:
            break
        taken[which].append(row)
        order.append((which, row))
    rest = [len(one.rows) > len(mine) for one, mine in zip(found, taken, strict=True)]
    is_short = len(order) < limit and horizon is not None
    goes_on = [_go_on(one, mine, start) for one, mine, start in zip(found, taken, starts, strict=True)]
    has_more = any(rest) or any(one.end for one in found)
    key = [part for row in goes_on for part in (row.at.isoformat(), row.id)]
    newest = "-".join(str(mine[0].id if mine else 0) for mine in taken)
    return Ledger(_entries(order), pages.cursor(*key) if has_more else None, horizon if is_short else None, newest)


def newer(asked: Asked, newest: str, *, limit: int = pages.USUAL_LIMIT) -> int:
    """How many entries came since a page with this `newest` was read, at most `limit`. Raises BadCursor."""
    first, dash, second = newest.partition("-")
    if not (dash and first.isascii() and first.isdecimal() and second.isascii() and second.isdecimal()):
        raise pages.BadCursor(newest)
    found = _transitions(asked, _START, limit).rows, _evaluations(asked, _START, limit).rows
    known = int(first), int(second)
    return min(limit, sum(row.id > last for rows, last in zip(found, known, strict=True) for row in rows))


def _starts(before: str | None) -> tuple[_Row, _Row]:
    if before is None:
        return _START, _START
    at, id_, other_at, other_id = pages.after(before, pages.moment, int, pages.moment, int)
    if not (0 <= id_ <= _LAST_ID and 0 <= other_id <= _LAST_ID):
        raise pages.BadCursor(before)
    return _Row(id_, at), _Row(other_id, other_at)


def _go_on(found: _Found, taken: list[_Row], start: _Row) -> _Row:
    """After which row the next page goes on: the last that was shown, or the end of a window with nothing left."""
    if len(taken) == len(found.rows) and found.end is not None:
        return found.end
    return taken[-1] if taken else start


def _transitions(asked: Asked, start: _Row, limit: int) -> _Found:
    if asked.kind == TRIGGER:
        return _Found()
    matches = ["region = %(kind)s"] if asked.kind else []
    matches += ["actor = %(actor)s"] if asked.actor else []
    if asked.cause:
        return _caused(asked, start, limit)
    return _find("store_transition", "region, actor", matches, asked, start, limit)


def _evaluations(asked: Asked, start: _Row, limit: int) -> _Found:
    if asked.kind not in ("", TRIGGER) or asked.actor or asked.cause:
        return _Found()
    return _find("store_triggerevaluation", "kind", [], asked, start, limit)


def _find(table: str, columns: str, matches: list[str], asked: Asked, start: _Row, limit: int) -> _Found:
    if asked.text:
        matches = [*matches, "reason ILIKE %(text)s"]
    values = {
        "kind": asked.kind, "actor": asked.actor, "text": f"%{_escaped(asked.text)}%",
        "since": asked.since or _FIRST, "until": asked.until or _LAST, "limit": limit + 1,
        "at": start.at, "id": start.id,
    }  # fmt: skip
    ids = asked.applications
    if ids is None or len(ids) > MOST_APPLICATIONS:
        if ids is not None:
            matches = [*matches, "application_id = ANY(%(ids)s)"]
            values["ids"] = list(ids)
        return _of_all(table, columns, matches, values)
    return _of_each(table, columns, matches, asked, values, ids)


_ALL = """
    WITH recent AS MATERIALIZED (
        SELECT id, at, application_id, reason, {columns} FROM {table}
        WHERE (at, id) < (%(at)s, %(id)s) AND at >= %(since)s AND at <= %(until)s
        ORDER BY at DESC, id DESC LIMIT {window})
    (SELECT id, at, false FROM recent WHERE {matches} ORDER BY at DESC, id DESC LIMIT %(limit)s)
    UNION ALL
    (SELECT id, at, true FROM (SELECT id, at, count(*) OVER () AS many FROM recent ORDER BY at, id LIMIT 1) AS last
        WHERE many = {window})"""


def _of_all(table: str, columns: str, matches: list[str], values: dict[str, Any]) -> _Found:
    """In the order of moments, along the ledger's own index."""
    window = WINDOW if matches else values["limit"]
    sql = _ALL.format(table=table, columns=columns, window=window, matches=" AND ".join(matches) or "true")
    return _read(sql, values, is_windowed=bool(matches))


_EACH = """
    WITH recent AS MATERIALIZED (
        SELECT one.* FROM unnest(%(ids)s::bigint[]) AS asked(id) CROSS JOIN LATERAL (
            SELECT id, at, application_id, reason, {columns} FROM {table}
            WHERE application_id = asked.id AND id < %(id)s AND id BETWEEN %(low)s AND %(high)s
                AND at >= %(since)s AND at <= %(until)s
            ORDER BY id DESC LIMIT {window}) AS one),
    cut AS (
        SELECT coalesce(max(id), 0) AS id FROM (
            SELECT min(id) AS id FROM recent GROUP BY application_id HAVING count(*) = {window}) AS ends)
    (SELECT id, at, false FROM recent WHERE {matches} AND id >= (SELECT id FROM cut) ORDER BY id DESC LIMIT %(limit)s)
    UNION ALL (SELECT id, at, true FROM recent WHERE id = (SELECT id FROM cut))"""


def _of_each(
    table: str, columns: str, matches: list[str], asked: Asked, values: dict[str, Any], ids: Sequence[int]
) -> _Found:
    """In the order of ids, along the index of each application."""
    window = max(LEAST, WINDOW // max(1, len(ids))) if matches else values["limit"]
    low, high = _bounds(table, asked)
    values = {**values, "ids": list(ids), "low": low, "high": high}
    sql = _EACH.format(table=table, columns=columns, window=window, matches=" AND ".join(matches) or "true")
    return _read(sql, values, is_windowed=bool(matches))


def _bounds(table: str, asked: Asked) -> tuple[int, int]:
    """Between which ids the rows of a time are, so that an application's index is entered near them."""
    low, high = 0, _LAST_ID
    with connection.cursor() as cursor:
        if asked.since is not None:
            cursor.execute(f"SELECT id FROM {table} WHERE at >= %s ORDER BY at, id LIMIT 1", [asked.since])  # noqa: S608
            found = cursor.fetchone()
            low = max(0, found[0] - SLACK) if found else _LAST_ID
        if asked.until is not None:
            cursor.execute(f"SELECT id FROM {table} WHERE at <= %s ORDER BY at DESC, id DESC LIMIT 1", [asked.until])  # noqa: S608
            found = cursor.fetchone()
            high = found[0] + SLACK if found else 0
    return low, high


def _read(sql: str, values: dict[str, Any], *, is_windowed: bool) -> _Found:
    rows: list[_Row] = []
    end = None
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        for id_, at, is_end in cursor.fetchall():
            if is_end:
                end = _Row(id_, at)
            else:
                rows.append(_Row(id_, at))
    return _Found(rows, end if is_windowed else None)


def _caused(asked: Asked, start: _Row, limit: int) -> _Found:
    """What one thing caused is found by its own index, and is not much."""
    rows = Transition.objects.filter(cause=asked.cause, id__lt=start.id)
    if asked.applications is not None:
        rows = rows.filter(application__in=asked.applications)
    if asked.kind:
        rows = rows.filter(region=asked.kind)
    return _Found([_Row(id_, at) for id_, at in rows.order_by("-id").values_list("id", "at")[: limit + 1]])


def _entries(order: list[tuple[int, _Row]]) -> list[Entry]:
    transitions = Transition.objects.select_related("application__organisation").in_bulk(
        [row.id for which, row in order if which == 0]
    )
    evaluations = TriggerEvaluation.objects.select_related("application__organisation", "run").defer("run__log")
    looks = evaluations.in_bulk([row.id for which, row in order if which == 1])
    found = [
        Entry(transition=transitions.get(row.id)) if which == 0 else Entry(evaluation=looks.get(row.id))
        for which, row in order
    ]
    return [one for one in found if one.key]


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
