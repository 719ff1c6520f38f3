"""Admission: what fits starts, what does not waits with the reason, and who idled longest makes room."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from ovd_saas.domain.admission import Holder, Memory, Waiting, give_way, why_wait

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def idle(application: int, seconds: float, mb: int = 512, *, is_unused: bool = False) -> Holder:
    return Holder(application, mb, ago(seconds), is_unused)


def chosen(needs_mb: int, memory: Memory, *holders: Holder, settled: float = 0) -> list[int]:
    found = give_way(
        needs_mb, memory, holders, application=1, since=ago(1), now=NOW, settled=timedelta(seconds=settled)
    )
    return [holder.application for holder in found]


def test_what_fits_does_not_wait_and_what_does_not_says_how_much_is_free() -> None:
    memory = Memory(19_600, held_mb=19_400)
    assert why_wait(200, memory, application=1, since=NOW) is None
    why = why_wait(512, memory, application=1, since=NOW)
    assert why == "Waits for memory: needs 512 MB, 200 of 19,600 MB are free."


def test_who_came_later_leaves_what_those_before_wait_for() -> None:
    memory = Memory(2048, held_mb=1024, waiting=(Waiting(1, 2048, ago(60)),))
    why = why_wait(512, memory, application=2, since=ago(5))
    assert why is not None and why.endswith("1,024 of 2,048 MB are free, for those who have waited longer.")
    assert why_wait(512, memory, application=2, since=ago(90)) is None, "it has waited longer"
    assert why_wait(512, memory, application=None, since=None) is not None, "learning comes after who serves"


def test_nothing_is_kept_for_who_waits_for_what_learning_holds() -> None:
    memory = Memory(2048, held_mb=1024, fixed_mb=1024, waiting=(Waiting(1, 2048, ago(60)),))
    assert why_wait(512, memory, application=2, since=ago(5)) is None


def test_who_idled_longest_makes_room_and_no_more_than_it_takes() -> None:
    full = Memory(1536, held_mb=1536)
    assert chosen(512, full, idle(2, 10), idle(3, 90), idle(4, 30)) == [3]
    assert chosen(1024, full, idle(2, 10), idle(3, 90), idle(4, 30)) == [3, 4]


def test_what_is_about_to_be_free_is_counted() -> None:
    assert chosen(512, Memory(1024, held_mb=1024, leaving_mb=512), idle(2, 90)) == []


def test_who_was_just_woken_and_has_served_nobody_yet_is_left_alone() -> None:
    full = Memory(1024, held_mb=1024)
    assert chosen(512, full, idle(2, 9, is_unused=True), idle(3, 1)) == [3]
    assert chosen(512, full, idle(2, 11, is_unused=True)) == [2]
    assert chosen(512, full, idle(3, 1), settled=10) == []


def test_nobody_sleeps_for_what_would_not_be_enough_at_last() -> None:
    assert chosen(1024, Memory(1024, held_mb=1024, fixed_mb=512), idle(2, 90)) == []


@given(
    needs=st.integers(1, 4096),
    held=st.integers(0, 4096),
    holders=st.lists(st.tuples(st.integers(0, 600), st.integers(1, 1024)), max_size=8),
)
def test_who_gives_way_is_needed(needs: int, held: int, holders: list[tuple[int, int]]) -> None:
    memory = Memory(4096, held_mb=held)
    rows = [Holder(number, mb, ago(seconds), False) for number, (seconds, mb) in enumerate(holders, 2)]
    found = give_way(needs, memory, rows, application=1, since=NOW, now=NOW)
    given_ = sum(holder.holds_mb for holder in found)
    assert not found or given_ - found[-1].holds_mb + memory.free_mb < needs, "one less would have been enough"
    assert sorted(holder.idle_since for holder in found) == [holder.idle_since for holder in found]
