"""The ledger of many applications: complete, in order, page by page, and never a long search."""

from datetime import UTC, datetime, timedelta

import pytest

import makers
from ovd_saas.store.queries import ledger, pages
from ovd_saas.store.queries.ledger import Asked
from ovd_saas.store.records import Application, Transition, TriggerEvaluation

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def moved(application: Application, ago: float, region: str = "service", **also: str) -> Transition:
    values = {"source": "asleep", "target": "waking", "event": "wake", "actor": "appcore", "reason": "Somebody waits."}
    return Transition.objects.create(
        application=application, region=region, at=NOW - timedelta(seconds=ago), **{**values, **also}
    )


def looked(
    application: Application, ago: float, decision: str = "waits", reason: str = "Only 3 of 10 samples."
) -> TriggerEvaluation:
    return TriggerEvaluation.objects.create(
        application=application, kind="data", decision=decision, reason=reason, at=NOW - timedelta(seconds=ago)
    )


def keys(asked: Asked, limit: int = 3) -> list[str]:
    """Of all pages, one after the other."""
    found: list[str] = []
    before = None
    for _page in range(100):
        page = ledger.page(asked, before=before, limit=limit)
        found += [entry.key for entry in page.entries]
        before = page.next
        if before is None:
            return found
    raise AssertionError("The pages have no end.")


@pytest.fixture
def both() -> tuple[Application, Application]:
    return makers.application("first"), makers.application("second", "elsewhere")


def in_order(*rows: Transition | TriggerEvaluation) -> list[str]:
    return [
        f"{'t' if isinstance(row, Transition) else 'e'}{row.pk}" for row in sorted(rows, key=lambda row: row.at)[::-1]
    ]


def test_both_kinds_are_in_one_order_and_every_page_goes_on(both: tuple[Application, Application]) -> None:
    rows: list[Transition | TriggerEvaluation] = []
    for number in range(20, 0, -1):
        app = both[number % 2]
        rows.append(looked(app, number) if number % 3 == 0 else moved(app, number))
    assert keys(Asked()) == in_order(*rows)
    ids = tuple(app.pk for app in both)
    assert keys(Asked(applications=ids)) == in_order(*rows)
    mine = [row for row in rows if row.application_id == both[0].pk]
    assert keys(Asked(applications=(both[0].pk,))) == in_order(*mine)
    assert keys(Asked(applications=())) == []


def test_rows_of_the_same_moment_are_each_told_once(both: tuple[Application, Application]) -> None:
    rows = [moved(both[0], 5) for _ in range(7)] + [moved(both[1], 5) for _ in range(4)]
    looks = [looked(both[0], 5) for _ in range(5)]
    for asked in (Asked(), Asked(applications=tuple(app.pk for app in both))):
        found = keys(asked)
        assert sorted(found) == sorted(in_order(*rows, *looks))


def test_it_is_filtered_by_kind_actor_words_and_time(both: tuple[Application, Application]) -> None:
    app = both[0]
    old = moved(app, 5000)
    woke, suspended = moved(app, 30), moved(app, 20, "status", actor="user:ana", reason="Suspended by ana.")
    look = looked(app, 10)
    for scope in (None, (app.pk,)):
        assert keys(Asked(scope, kind="status")) == in_order(suspended)
        assert keys(Asked(scope, kind=ledger.TRIGGER)) == in_order(look)
        assert keys(Asked(scope, actor="user:ana")) == in_order(suspended)
        assert keys(Asked(scope, text="SAMPLES")) == in_order(look)
        assert keys(Asked(scope, text="100%")) == []
        assert keys(Asked(scope, since=NOW - timedelta(seconds=60))) == in_order(woke, suspended, look)
        assert keys(Asked(scope, until=NOW - timedelta(seconds=60))) == in_order(old)


def test_what_one_thing_caused_is_found_across_regions(both: tuple[Application, Application]) -> None:
    ours = [moved(both[0], 9, cause="learning-run:7"), moved(both[0], 8, "model", cause="learning-run:7")]
    moved(both[1], 7, cause="learning-run:7")
    looked(both[0], 6)
    assert keys(Asked((both[0].pk,), cause="learning-run:7")) == in_order(*ours)


@pytest.mark.parametrize("is_scoped", [False, True])
def test_a_rare_kind_is_looked_for_in_stretches_and_found_in_the_end(
    both: tuple[Application, Application], monkeypatch: pytest.MonkeyPatch, is_scoped: bool
) -> None:
    monkeypatch.setattr(ledger, "WINDOW", 10)
    monkeypatch.setattr(ledger, "LEAST", 10)
    rare = moved(both[0], 900, "status")
    for number in range(80, 0, -1):
        moved(both[number % 2], number)
    asked = Asked(tuple(app.pk for app in both) if is_scoped else None, kind="status")
    first = ledger.page(asked, limit=3)
    assert first.entries == [] and first.looked_back_to is not None and first.next is not None
    assert keys(asked) == in_order(rare)


def test_entries_of_the_other_table_wait_for_those_that_may_yet_be_found(
    both: tuple[Application, Application], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "WINDOW", 4)
    app = both[0]
    rows = [moved(app, ago, reason="A word." if ago in (1, 30) else "Nothing.") for ago in (30, 20, 19, 18, 17, 16, 1)]
    looks = [looked(app, ago, reason="A word.") for ago in (25, 2)]
    assert keys(Asked(text="word")) == in_order(rows[0], rows[-1], *looks)


def test_what_is_new_is_counted(both: tuple[Application, Application]) -> None:
    moved(both[0], 30)
    looked(both[0], 20)
    newest = ledger.page(Asked()).newest
    assert ledger.newer(Asked(), newest) == 0
    moved(both[0], 10)
    looked(both[1], 5)
    assert ledger.newer(Asked(), newest) == 2
    assert ledger.newer(Asked((both[0].pk,)), newest) == 1


@pytest.mark.parametrize(
    "cursor", ["nonsense", "", pages.cursor("2026-01-01T00:00:00+00:00", 1), pages.cursor("x", 1, "y", 2)]
)
def test_a_cursor_that_is_none_is_told(cursor: str) -> None:
    with pytest.raises(pages.BadCursor):
        ledger.page(Asked(), before=cursor)
    with pytest.raises(pages.BadCursor):
        ledger.newer(Asked(), cursor)
