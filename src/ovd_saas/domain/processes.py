"""Processes: one sandboxed operating-system process of one application. Floor 0: pure."""

from ovd_saas.domain.machine import Machine, Transition

STARTING = "starting"  # the runner starts it; it gets ready, or its exit moves it on
READY = "ready"  # it takes executions; AppCore drains it, or its exit moves it on
DRAINING = "draining"  # it finishes what it runs and takes no more; its exit moves it on
ENDED = "ended"  # final

ANSWER = "answer"
DRAIN = "drain"
END = "end"

LIVING = (STARTING, READY, DRAINING)

PROCESS = Machine(
    name="process",
    initial=STARTING,
    final=(ENDED,),
    states={
        STARTING: "the process itself, when it is set up; the runner, when it exits",
        READY: "AppCore, when it is no longer wanted; the runner, when it exits",
        DRAINING: "the runner, when it exits; AppCore kills it when it takes too long",
        ENDED: "nobody: it is final",
    },
    transitions=(
        Transition(STARTING, ANSWER, READY, "process", "It is set up and takes executions."),
        Transition(STARTING, DRAIN, DRAINING, "AppCore", "It is no longer wanted."),
        Transition(STARTING, END, ENDED, "runner", "It exited before it was ready."),
        Transition(READY, DRAIN, DRAINING, "AppCore", "It finishes what it runs and takes no more."),
        Transition(READY, END, ENDED, "runner", "It exited, was killed, or its runner lost it."),
        Transition(DRAINING, END, ENDED, "runner", "It finished and exited."),
    ),
)

FORK = "fork"  # a template was there
TEMPLATE = "template"  # one had to be built first
SPAWN = "spawn"  # it began from nothing


def why_ready(how: str, seconds: float | None) -> str:
    """That a process is ready, and how it was born, as a sentence."""
    took = "" if seconds is None else f" in {seconds:.2f} s" if seconds < 1 else f" in {seconds:.1f} s"
    born = {
        FORK: f": forked from a template{took}",
        TEMPLATE: f": its template had to be built first, ready{took}",
        SPAWN: f": begun from nothing{took}",
    }
    return f"A process is ready{born.get(how, '')}."
