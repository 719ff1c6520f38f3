"""The composed application, explored exhaustively: the seven invariants hold in every reachable state."""

import pytest

from domain.composed.explore import PERSON, PLATFORM, TIME, Counterexample
from domain.composed.invariants import is_answered, is_asleep, is_retired
from domain.composed.system import explored
from domain.composed.world import Scope
from ovd_saas.domain import learning

LEARNS = Scope(
    max_attempts=1,
    run_attempts=1,
    processes=1,
    max_start_failures=1,
    with_learning=True,
    batches=1,
    with_wishes=False,
    with_expiry=False,
    with_runner_crashes=False,
)


def _with(scope: Scope, **changes: object) -> Scope:
    return Scope(**{**vars(scope), **changes})  # type: ignore[arg-type]


LINEAGES = _with(LEARNS, executions=0, batches=2, run_attempts=2)

SCOPES = {
    "one execution, two attempts, people's wishes": Scope(max_start_failures=1),
    "a start fails up to three times in a row": Scope(
        max_attempts=1, max_start_failures=3, with_wishes=False, with_expiry=False
    ),
    "two executions, two attempts each": Scope(
        executions=2, max_start_failures=1, with_wishes=False, with_status=False
    ),
    "a newer release takes over": Scope(
        releases=2, max_attempts=1, max_start_failures=1, with_wishes=False, with_expiry=False
    ),
    "anything happens between seeing and doing": Scope(
        is_plan_stale=True, max_attempts=1, max_start_failures=1, with_wishes=False, with_runner_crashes=False
    ),
    "learning beside the awake application": LEARNS,
    "learning gives way": _with(LEARNS, on_wake=learning.YIELDS),
    "the user waits for learning": _with(LEARNS, on_wake=learning.FINISH),
    "two batches, all orders of learning, promotion and rollback": LINEAGES,
}


@pytest.mark.parametrize("name", SCOPES)
def test_every_reachable_state_keeps_the_invariants_and_has_a_way_on(name: str) -> None:
    found = explored(SCOPES[name])
    print(f"\n{name}: {len(found.states):,} states, {len(found.sources):,} transitions")
    for goal, kinds in (
        (is_asleep, (PLATFORM, TIME)),  # falls asleep by itself, if people leave it alone and nothing dies
        (is_answered, (PLATFORM, TIME)),  # what was acknowledged gets its final state by itself
        (is_retired, (PLATFORM, TIME, PERSON)),
    ):
        if goal is is_retired and not SCOPES[name].with_status:
            continue
        stuck = found.without_way(goal, kinds)
        assert not stuck, f"no way to {goal.__name__} from {len(stuck)} states, such as:\n{found.trace(stuck[0])}"


BUGS = {
    "no fencing": (Scope(max_start_failures=1), "was written with lease 1, the current one is 2"),
    "a result does not look at the state": (Scope(max_start_failures=1), "second final state"),
    "acknowledged before it is on disk": (Scope(), "acknowledged execution is lost"),
    "a start does not look at the status again": (Scope(is_plan_stale=True), "started although suspended"),
    "a trigger does not look for an open run": (LEARNS, "2 learning runs are open at once"),
    "learning begins without asking": (LEARNS, "learning began although suspended"),
    "a snapshot holds what is learned already": (LINEAGES, "learned twice"),
    "a stale candidate is promoted": (LINEAGES, "unlearned a batch"),
    "promotion in two transactions": (LINEAGES, "0 model versions are active"),
}


@pytest.mark.parametrize("bug", BUGS)
def test_the_exploration_finds_a_seeded_bug_and_says_how_it_happens(bug: str) -> None:
    scope, problem = BUGS[bug]
    with pytest.raises(Counterexample, match=problem) as found:
        explored(_with(scope, bug=bug))
    assert "person: enable" in str(found.value)  # the way there, from the draft


def test_a_late_candidate_is_refused_by_its_lease() -> None:
    with pytest.raises(Counterexample, match="candidate was stored with lease 1, the current one is 2"):
        explored(_with(LINEAGES, bug="no fencing"))


@pytest.mark.parametrize("action", ["DrainProcess", "ForgetProcess", "KillProcess", "StartProcess", "FailQueued"])
def test_a_plan_that_leaves_one_kind_of_action_out_gets_stuck(action: str) -> None:
    scope = Scope(max_attempts=1, max_start_failures=1, with_wishes=False, with_expiry=False, unplanned=action)
    try:
        found = explored(scope)
    except Counterexample:
        return
    stuck = [
        *found.without_way(is_asleep, (PLATFORM, TIME)),
        *found.without_way(is_answered, (PLATFORM,)),
    ]
    assert stuck
