"""What becomes of a lost execution, and whose turn is next."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from ovd_saas.domain.outcomes import after_loss, fair, position

START = datetime(2026, 3, 1, tzinfo=UTC)
QUEUES = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 50)), max_size=12).map(
    lambda rows: [(f"e{i}", caller, START + timedelta(seconds=s)) for i, (caller, s) in enumerate(rows)]
)


def test_a_lost_execution_is_queued_again_while_attempts_remain() -> None:
    assert [after_loss(attempts, 3) for attempts in (1, 2, 3)] == ["requeue", "requeue", "fail"]


def test_one_who_sends_many_does_not_keep_the_others_waiting() -> None:
    queue = [(f"a{i}", "a", START + timedelta(seconds=i)) for i in range(4)]
    queue += [("b0", "b", START + timedelta(seconds=9)), ("c0", "c", START + timedelta(seconds=8))]
    assert fair(queue) == ["a0", "c0", "b0", "a1", "a2", "a3"]
    assert position(queue, "b0") == 3
    assert position(queue, "gone") is None


@given(QUEUES)
def test_everybody_in_the_queue_has_one_turn_and_oldest_come_first_within_a_caller(
    queue: list[tuple[str, str, datetime]],
) -> None:
    order = fair(queue)
    assert sorted(order) == sorted(id_ for id_, _, _ in queue)
    for caller in "abc":
        own = sorted((at, id_) for id_, c, at in queue if c == caller)
        assert [i for i in order if i in {id_ for _, id_ in own}] == [id_ for _, id_ in own]


@given(QUEUES)
def test_nobody_waits_for_more_than_one_execution_of_another_before_the_first_turn(
    queue: list[tuple[str, str, datetime]],
) -> None:
    callers = {id_: caller for id_, caller, _ in queue}
    order = [callers[id_] for id_ in fair(queue)]
    first_turns = order[: len(set(order))]
    assert len(first_turns) == len(set(first_turns))


@given(QUEUES, st.randoms())
def test_the_order_does_not_depend_on_how_the_queue_was_read(queue: list[tuple[str, str, datetime]], chance) -> None:  # type: ignore[no-untyped-def]
    shuffled = list(queue)
    chance.shuffle(shuffled)
    assert fair(shuffled) == fair(queue)
