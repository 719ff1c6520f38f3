"""Releases: from pushed source to something that can run. Floor 0: pure."""

from ovd_saas.domain.machine import Machine, Transition

BUILDING = "building"  # the runner builds and checks it; AppCore begins anew if the runner dies
READY = "ready"  # final: immutable, and can be started
FAILED = "failed"  # final: the log says why; push again

SUCCEED = "succeed"
FAIL = "fail"

RELEASE = Machine(
    name="release",
    initial=BUILDING,
    final=(READY, FAILED),
    states={
        BUILDING: "the runner, when environment and samples are through",
        READY: "nobody: it is immutable; a newer release takes its place",
        FAILED: "nobody: its log says why; the author pushes again",
    },
    transitions=(
        Transition(BUILDING, SUCCEED, READY, "runner", "Environment built, imported, samples passed."),
        Transition(BUILDING, FAIL, FAILED, "runner", "Building or a sample failed; what runs is unchanged."),
    ),
)
