"""Releases: from pushed source to something that can run. Floor 0: pure."""

from ovd_saas.domain.machine import Machine, Transition

BUILDING = "building"  # the runner builds and checks it; AppCore begins anew if the runner dies
READY = "ready"  # final: immutable, and can be started
FAILED = "failed"  # the log says why; the author pushes again, or has the same source built again

SUCCEED = "succeed"
FAIL = "fail"
BUILD = "build"

RELEASE = Machine(
    name="release",
    initial=BUILDING,
    final=(READY,),
    states={
        BUILDING: "the runner, when environment and samples are through",
        READY: "nobody: it is immutable; a newer release takes its place",
        FAILED: "a person who has it built again; most push a corrected one instead",
    },
    transitions=(
        Transition(BUILDING, SUCCEED, READY, "runner", "Environment built, imported, samples passed."),
        Transition(BUILDING, FAIL, FAILED, "runner", "Building or a sample failed; what runs is unchanged."),
        Transition(FAILED, BUILD, BUILDING, "person", "Builds the same source again, where the machine was to blame."),
    ),
)
