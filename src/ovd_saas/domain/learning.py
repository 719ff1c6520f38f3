"""Learning: the region of an application that gets better from data. Floor 0: pure."""

from ovd_saas.domain import service as serving
from ovd_saas.domain import status as statuses
from ovd_saas.domain.machine import Machine, Transition

RESTING = "resting"  # nothing to learn; a trigger makes it due
DUE = "due"  # a run is waiting; AppCore begins it as soon as the policy allows
LEARNING = "learning"  # a learning process holds the lease; its result, a person or a user moves it on
YIELDING = "yielding"  # a user came; the process saves a checkpoint and gives way
EVALUATING = "evaluating"  # the platform computes the gate; its verdict moves it on

TRIGGER = "trigger"
BEGIN = "begin"
EVALUATE = "evaluate"
SETTLE = "settle"
YIELD = "yield"
PAUSE = "pause"
LOSE = "lose"
FAIL = "fail"
CANCEL = "cancel"

TOGETHER = "together"  # policy on_wake: learns on beside the awake application
YIELDS = "yield"  # policy on_wake: learning saves a checkpoint and gives way
FINISH = "finish"  # policy on_wake: the user waits until learning is done
POLICIES = (TOGETHER, YIELDS, FINISH)

LEARNING_REGION = Machine(
    name="learning",
    initial=RESTING,
    final=(),
    states={
        RESTING: "a trigger: schedule, data, drift or a person",
        DUE: "AppCore, as soon as status, policy and machines allow it",
        LEARNING: "the learning process: it ends, fails, or gives way to a user",
        YIELDING: "the learning process, when its checkpoint is stored or its time for that is over",
        EVALUATING: "AppCore, when the gate is computed",
    },
    transitions=(
        Transition(RESTING, TRIGGER, DUE, "trigger", "There is something to learn."),
        Transition(DUE, BEGIN, LEARNING, "AppCore", "A snapshot is frozen and a learning process starts."),
        Transition(DUE, CANCEL, RESTING, "person", "The waiting run is cancelled."),
        Transition(LEARNING, EVALUATE, EVALUATING, "process", "A candidate is stored; the gate is computed."),
        Transition(LEARNING, YIELD, YIELDING, "AppCore", "A user came, and the policy says to give way."),
        Transition(LEARNING, LOSE, DUE, "runner", "The learning process died; it is tried again."),
        Transition(LEARNING, FAIL, RESTING, "process", "Learning failed; the active model stays."),
        Transition(LEARNING, CANCEL, RESTING, "person", "The run is cancelled; the active model stays."),
        Transition(YIELDING, PAUSE, DUE, "process", "The checkpoint is stored; it resumes when asleep."),
        Transition(YIELDING, EVALUATE, EVALUATING, "process", "It was done before it could give way."),
        Transition(YIELDING, FAIL, RESTING, "process", "Learning failed; the active model stays."),
        Transition(YIELDING, CANCEL, RESTING, "person", "The run is cancelled; the active model stays."),
        Transition(EVALUATING, SETTLE, RESTING, "AppCore", "Promoted, rejected or awaiting approval."),
        Transition(EVALUATING, FAIL, RESTING, "process", "It could not be judged; the active model stays."),
        Transition(EVALUATING, CANCEL, RESTING, "person", "The run is cancelled; the active model stays."),
    ),
)

OCCUPIED = (LEARNING, YIELDING, EVALUATING)  # states in which a learning process may be running


def why_not_begin(*, status: str, service: str, on_wake: str) -> str | None:
    """Why a due run may not begin now, as a sentence; None when it may."""
    if status != statuses.ENABLED:
        return f"Learning waits: the application is {status}."
    if on_wake != TOGETHER and service != serving.ASLEEP:
        return "Learning waits until the application is asleep."
    return None
