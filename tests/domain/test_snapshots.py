"""Snapshots: every sample is learned once on a line of models, and judged with only before it is learned."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ovd_saas.domain import snapshots
from ovd_saas.domain.snapshots import Delivery, Rule


def deliveries(*sizes: int, first: int = 1) -> list[Delivery]:
    return [Delivery(first + place, f"sha256:{place}", size) for place, size in enumerate(sizes)]


def split(frozen: snapshots.Frozen) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    places = [(one.number, line) for one in frozen.deliveries for line in range(one.samples)]
    train = [place for place in places if snapshots.is_train(frozen.rule, *place, text(place))]
    held = [place for place in places if snapshots.is_held(frozen.rule, *place, text(place))]
    return train, held


def text(place: tuple[int, int]) -> bytes:
    return b'{"x": "%d.%d"}' % place


def test_the_newest_part_is_held_out() -> None:
    frozen = snapshots.freeze(deliveries(3, 5, 2), Rule(fraction=0.3))
    train, held = split(frozen)
    assert (frozen.train, frozen.held) == (7, 3) == (len(train), len(held))
    assert held == [(2, 4), (3, 0), (3, 1)]


def test_one_sample_is_learned_and_nothing_held_out() -> None:
    assert split(snapshots.freeze(deliveries(1), Rule())) == ([(1, 0)], [])


def test_an_online_learner_learns_what_was_held_out_before() -> None:
    first = snapshots.freeze(deliveries(10), Rule(data="new"))
    after = snapshots.begin_after(Rule(data="new"), parent=first.rule, parent_last=1)
    second = snapshots.freeze(deliveries(10, 10), Rule(data="new", after=after))
    train, held = split(second)
    assert train[:2] == [(1, 8), (1, 9)]
    assert len(train) + len(held) == 12


@given(st.lists(st.lists(st.integers(1, 6), min_size=1, max_size=4), min_size=1, max_size=5), st.floats(0.01, 0.9))
def test_along_a_line_of_models_each_sample_is_learned_at_most_once_and_in_order(
    history: list[list[int]], fraction: float
) -> None:
    known: list[Delivery] = []
    rule = Rule(data="new", fraction=fraction)
    parent: snapshots.Frozen | None = None
    learned: list[tuple[int, int]] = []
    for sizes in history:
        known += deliveries(*sizes, first=len(known) + 1)
        after = snapshots.begin_after(
            rule, parent=parent.rule if parent else None, parent_last=parent.deliveries[-1].number if parent else 0
        )
        parent = snapshots.freeze(known, replace(rule, after=after))
        train, held = split(parent)
        assert (len(train), len(held)) == (parent.train, parent.held)
        assert set(train).isdisjoint(held)
        learned += train
        assert learned == sorted(set(learned))
        assert learned + held == [(one.number, line) for one in known for line in range(one.samples)]


@given(st.lists(st.integers(1, 200), min_size=1, max_size=4))
def test_by_hash_the_same_samples_are_held_out_whatever_comes_later(sizes: list[int]) -> None:
    few = snapshots.freeze(deliveries(*sizes), Rule(holdout="hash", fraction=0.3))
    more = snapshots.freeze(deliveries(*sizes, 50), Rule(holdout="hash", fraction=0.3))
    train, held = split(few)
    assert held == split(more)[1][: len(held)]
    assert len(train) + len(held) == sum(sizes)


def test_a_parent_that_split_by_hash_has_learned_its_batches_whole() -> None:
    assert snapshots.begin_after(
        Rule(data="new", holdout="hash"), parent=Rule(data="new", holdout="hash"), parent_last=4
    ) == (5, 0)


def test_a_batch_that_was_taken_down_moves_no_border() -> None:
    first = snapshots.freeze(deliveries(4, 4, 4), Rule(data="new", fraction=0.5))
    assert first.rule.until == (2, 2)
    left = [one for one in deliveries(4, 4, 4, 4) if one.number != 2]
    second = snapshots.freeze(left, Rule(data="new", fraction=0.5, after=first.rule.until))
    assert split(second) == ([(3, 0), (3, 1), (3, 2), (3, 3)], [(4, 0), (4, 1), (4, 2), (4, 3)])


def test_the_rule_survives_being_json_and_names_the_snapshot() -> None:
    frozen = snapshots.freeze(deliveries(4, 4), Rule(fraction=0.25))
    again = snapshots.rule_from(snapshots.rule_document(frozen.rule))
    assert again == frozen.rule
    assert snapshots.digest(frozen.deliveries, again) == snapshots.digest(frozen.deliveries, frozen.rule)
    assert snapshots.digest(frozen.deliveries[:1], again) != snapshots.digest(frozen.deliveries, again)
