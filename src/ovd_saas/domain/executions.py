"""Executions: the life of one run for somebody. Floor 0: pure."""

from ovd_saas.domain.machine import Machine, Transition

QUEUED = "queued"  # on disk; a process claims it, its deadline or a person ends it
RUNNING = "running"  # a process holds the lease; its result, or the reaper, moves it on
SUCCEEDED = "succeeded"  # final: outputs are archived
FAILED = "failed"  # final: the error says why
REJECTED = "rejected"  # final: the application declined the input, politely
CANCELLED = "cancelled"  # final: a person did not want it any more
EXPIRED = "expired"  # final: its deadline passed before it started

CLAIM = "claim"
SUCCEED = "succeed"
FAIL = "fail"
REJECT = "reject"
CANCEL = "cancel"
EXPIRE = "expire"
REQUEUE = "requeue"

FINAL = (SUCCEEDED, FAILED, REJECTED, CANCELLED, EXPIRED)
LEASED = (SUCCEED, REJECT)  # events that only the holder of the current lease may cause

EXECUTION = Machine(
    name="execution",
    initial=QUEUED,
    final=FINAL,
    states={
        QUEUED: "a process claims it; its deadline, a person or a retired application ends it",
        RUNNING: "the process that holds the lease; the reaper when the lease expires; a person cancels it",
        SUCCEEDED: "nobody: it is final",
        FAILED: "nobody: it is final",
        REJECTED: "nobody: it is final",
        CANCELLED: "nobody: it is final",
        EXPIRED: "nobody: it is final",
    },
    transitions=(
        Transition(QUEUED, CLAIM, RUNNING, "gateway", "It got a lease and is sent to a process."),
        Transition(QUEUED, CANCEL, CANCELLED, "person", "Cancelled before it started."),
        Transition(QUEUED, EXPIRE, EXPIRED, "reaper", "Its deadline passed before it started."),
        Transition(QUEUED, FAIL, FAILED, "AppCore", "The application does not start, or is retired."),
        Transition(RUNNING, SUCCEED, SUCCEEDED, "process", "The outputs are archived."),
        Transition(RUNNING, REJECT, REJECTED, "process", "The application declined the input."),
        Transition(RUNNING, FAIL, FAILED, "process", "It raised an error, took too long, or was lost too often."),
        Transition(RUNNING, CANCEL, CANCELLED, "person", "Cancelled while it ran."),
        Transition(RUNNING, REQUEUE, QUEUED, "reaper", "Its process was lost; attempts remain."),
    ),
)
