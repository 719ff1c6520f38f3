"""A machine that is too small for all its applications, explored exhaustively: nobody waits for ever."""

from dataclasses import replace

import pytest

from domain.composed.explore import PLATFORM, TIME, Counterexample
from domain.composed.machine import Machine, explored, is_answered, is_asleep

MACHINES = {
    "two of the same size, room for one": Machine(512, needs=(512, 512), uses=(2, 1), replicas=(1, 1)),
    "a small one, a large one, room for either": Machine(1024, needs=(512, 1024), uses=(2, 1), replicas=(1, 1)),
    "three, room for two": Machine(1024, needs=(512, 512, 512), uses=(1, 1, 1), replicas=(1, 1, 1)),
    "two small ones and one that needs it all": Machine(
        1024, needs=(512, 512, 1024), uses=(1, 1, 1), replicas=(1, 1, 1)
    ),
    "one that may be two, beside another": Machine(1024, needs=(512, 512), uses=(3, 1), replicas=(2, 1)),
}


@pytest.mark.parametrize("name", MACHINES)
def test_memory_is_never_given_twice_and_everybody_is_served_without_waiting_for_quiet_time(name: str) -> None:
    found = explored(MACHINES[name])
    print(f"\n{name}: {len(found.states):,} states, {len(found.sources):,} transitions")
    for goal, kinds in ((is_answered, (PLATFORM,)), (is_asleep, (PLATFORM, TIME))):
        stuck = found.without_way(goal, kinds)
        assert not stuck, f"no way to {goal.__name__} from {len(stuck)} states, such as:\n{found.trace(stuck[0])}"


def test_a_start_that_does_not_count_again_gives_memory_twice() -> None:
    machine = replace(MACHINES["two of the same size, room for one"], bug="memory is not counted again")
    with pytest.raises(Counterexample, match="hold 1024 MB of 512"):
        explored(machine)


def test_without_making_room_somebody_waits_for_quiet_time() -> None:
    machine = replace(MACHINES["two of the same size, room for one"], bug="nobody gives way")
    found = explored(machine)
    assert found.without_way(is_answered, (PLATFORM,))
    assert not found.without_way(is_answered, (PLATFORM, TIME))
