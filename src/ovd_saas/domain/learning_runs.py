"""Learning runs: one run that turns a snapshot and a parent model into a candidate. Floor 0: pure."""

from ovd_saas.domain.machine import Machine, Transition

QUEUED = "queued"  # waits until the application may learn; AppCore begins it
RUNNING = "running"  # a process learns and AppCore attends it under a lease; its result, or its loss, moves it on
PAUSED = "paused"  # gave way with a checkpoint; AppCore resumes it
EVALUATING = "evaluating"  # the platform computes the gate, again when that is interrupted; its verdict moves it on
AWAITING = "awaiting"  # the gate passed; a person approves or rejects, a later promotion rejects
PROMOTED = "promoted"  # final: its candidate became the active model version
REJECTED = "rejected"  # final: the gate, or a person, said no
FAILED = "failed"  # final: the error says why
CANCELLED = "cancelled"  # final: a person did not want it

BEGIN = "begin"
PAUSE = "pause"
EVALUATE = "evaluate"
PROMOTE = "promote"
REJECT = "reject"
ASK = "ask"
REQUEUE = "requeue"
FAIL = "fail"
CANCEL = "cancel"

OPEN = (QUEUED, RUNNING, PAUSED, EVALUATING)  # an application has at most one run in these states
FINAL = (PROMOTED, REJECTED, FAILED, CANCELLED)

LEARNING_RUN = Machine(
    name="learning run",
    initial=QUEUED,
    final=FINAL,
    states={
        QUEUED: "AppCore begins it as soon as the application may learn",
        RUNNING: "the learning process; AppCore, which attends it, when it is lost, late or has to give way",
        PAUSED: "AppCore resumes it from its checkpoint when the application is asleep",
        EVALUATING: "AppCore, when the gate is computed",
        AWAITING: "a person approves or rejects it; the promotion of a later candidate rejects it",
        PROMOTED: "nobody: it is final",
        REJECTED: "nobody: it is final",
        FAILED: "nobody: it is final",
        CANCELLED: "nobody: it is final",
    },
    transitions=(
        Transition(QUEUED, BEGIN, RUNNING, "AppCore", "It got a lease and a learning process."),
        Transition(QUEUED, CANCEL, CANCELLED, "person", "Cancelled before it began."),
        Transition(RUNNING, EVALUATE, EVALUATING, "process", "The candidate is stored."),
        Transition(RUNNING, PAUSE, PAUSED, "process", "It gave way to a user, with a checkpoint."),
        Transition(RUNNING, REQUEUE, QUEUED, "AppCore", "Its process was lost or failed, and it may be tried again."),
        Transition(RUNNING, FAIL, FAILED, "process", "It raised an error, took too long, or was lost too often."),
        Transition(RUNNING, CANCEL, CANCELLED, "person", "Cancelled while it learned."),
        Transition(PAUSED, BEGIN, RUNNING, "AppCore", "It resumes from its checkpoint."),
        Transition(PAUSED, CANCEL, CANCELLED, "person", "Cancelled while it was paused."),
        Transition(EVALUATING, PROMOTE, PROMOTED, "AppCore", "The gate passed; the candidate is active."),
        Transition(EVALUATING, REJECT, REJECTED, "AppCore", "The gate did not pass."),
        Transition(EVALUATING, ASK, AWAITING, "AppCore", "The gate passed; a person has to approve."),
        Transition(EVALUATING, FAIL, FAILED, "process", "It could not be judged."),
        Transition(EVALUATING, CANCEL, CANCELLED, "person", "Cancelled while it was evaluated."),
        Transition(AWAITING, PROMOTE, PROMOTED, "person", "A person approved; the candidate is active."),
        Transition(AWAITING, REJECT, REJECTED, "person", "A person declined, or a later candidate won."),
    ),
)
