"""Service: the region of an application that sleeps and serves. Floor 0: pure."""

from ovd_saas.domain.machine import Machine, Transition

ASLEEP = "asleep"  # no process serves; a user's request or a person's wish has AppCore wake it
WAKING = "waking"  # a process is starting; its ready, or its failure, moves it on
AWAKE = "awake"  # a process is ready; quiet time, a person, or the loss of the process moves it on
DRAINING = "draining"  # what runs may finish; the end of the last process, or a new request, moves it on

WAKE = "wake"
READY = "ready"
FAIL = "fail"
DRAIN = "drain"
LOSE = "lose"
SLEEP = "sleep"

SERVICE = Machine(
    name="service",
    initial=ASLEEP,
    final=(),
    states={
        ASLEEP: "AppCore, when an execution is queued, a person wakes it, or its hours or habits do",
        WAKING: "the process: it gets ready or fails; or a person who wants it asleep",
        AWAKE: "AppCore: after quiet time, when a person asks, when others need its memory, or when its process died",
        DRAINING: "the last process, when it ends; or a new execution, which wakes it again",
    },
    transitions=(
        Transition(
            ASLEEP,
            WAKE,
            WAKING,
            "AppCore",
            "Somebody uses it, or its hours or habits want it awake: a process is started.",
        ),
        Transition(WAKING, READY, AWAKE, "process", "A process is ready and takes executions."),
        Transition(
            WAKING,
            FAIL,
            ASLEEP,
            "process",
            "The start failed, and is tried again after a pause; or memory lacks, and it waits asleep.",
        ),
        Transition(WAKING, DRAIN, DRAINING, "AppCore", "Nobody waits any more, or a person wants it asleep."),
        Transition(
            AWAKE,
            DRAIN,
            DRAINING,
            "AppCore",
            "It was quiet, a person wants it asleep, or it gives its memory to another one.",
        ),
        Transition(AWAKE, LOSE, ASLEEP, "runner", "Its process died; queued executions wake it again."),
        Transition(DRAINING, WAKE, WAKING, "AppCore", "Somebody uses it while it falls asleep."),
        Transition(DRAINING, SLEEP, ASLEEP, "AppCore", "The last process has ended."),
    ),
)
