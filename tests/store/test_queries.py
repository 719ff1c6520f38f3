"""What doors read: cursors that cannot be forged into errors, and the fair queue as the domain has it."""

from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import makers
from ovd_saas.appcore.executions import new_id
from ovd_saas.domain import outcomes
from ovd_saas.store.queries import applications, executions, pages
from ovd_saas.store.records import Application, Execution


@given(st.text() | st.binary().map(lambda data: pages.cursor(data.hex())))
def test_no_cursor_is_ever_more_than_a_bad_cursor(cursor: str) -> None:
    for kinds in ((str,), (int,), (str, str), (pages.moment, str)):
        try:
            key = pages.after(cursor, *kinds)
        except pages.BadCursor:
            continue
        assert len(key) == len(kinds)
        assert "\0" not in str(key)


def test_a_cursor_is_read_back_as_what_it_was_made_of() -> None:
    now = timezone.now()
    assert pages.after(pages.cursor(now.isoformat(), 7, "ä"), pages.moment, int, str) == (now, 7, "ä")


@pytest.mark.parametrize("key", [("2026-01-01T00:00:00", "x"), ("x\0", "y"), ("\ud800", "y")])
def test_what_no_column_could_hold_is_a_bad_cursor(key: tuple[str, str]) -> None:
    kind = pages.moment if key[0].startswith("2026") else str
    with pytest.raises(pages.BadCursor):
        pages.after(pages.cursor(*key), kind, str)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(callers=st.lists(st.sampled_from(["user:1", "user:2", "user:3"]), min_size=1, max_size=8))
def test_places_in_the_queue_are_those_of_the_domain(db: None, callers: list[str]) -> None:
    echo = makers.application(f"echo-{new_id().hex[-12:]}")
    queued = [waits(echo, caller, number) for number, caller in enumerate(callers)]
    order = outcomes.fair([(str(row.pk), row.caller, row.created_at) for row in queued])
    assert executions.positions(queued) == {row.pk: order.index(str(row.pk)) + 1 for row in queued}


def waits(application: Application, caller: str, number: int) -> Execution:
    at = application.since + timedelta(seconds=number)
    return Execution.objects.create(
        id=new_id(), application=application, status="queued", inputs={}, seed=1, created_at=at, caller=caller
    )


def test_the_newest_execution_of_each_application(db: None) -> None:
    one, two, unused = makers.application("one"), makers.application("two"), makers.application("unused")
    for number in range(3):
        last = waits(one, "user:1", number)
    only = waits(two, "user:1", 0)
    found = applications.last_executions([one.pk, two.pk, unused.pk])
    assert {id_: row.pk for id_, row in found.items()} == {one.pk: last.pk, two.pk: only.pk}


def test_files_of_an_execution_are_found_wherever_they_are() -> None:
    one = {"name": "a", "media_type": "image/png", "size": 1, "digest": "sha256:a"}
    two = {"name": "b", "media_type": "image/png", "size": 1, "digest": "sha256:b"}
    execution = Execution(inputs={"x": one, "n": 3}, outputs={"list": [two, {"digest": "no file"}]})
    assert executions.files_of(execution) == {"sha256:a": one, "sha256:b": two}
