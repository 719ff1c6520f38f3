"""Walls: what each wall around an application is for, in words, and which of them stand on a machine. Floor 0."""

from collections.abc import Mapping
from dataclasses import dataclass

# As the runner names them → what people call it, and what it does while it stands.
WORDS = {
    "user": ("A user of its own", "owns no file and no process of this machine"),
    "files": (
        "A room of its own",
        "sees its release and libraries, which it cannot change, and one scratch folder",
    ),
    "processes": ("Its own processes", "sees no process but its own; none of them outlives it"),
    "network": (
        "A network of its own",
        "reaches the hosts that an operator allowed, by way of the runner, and nothing else",
    ),
    "ipc": ("Its own memory", "shares no memory, message queue or host name with anybody"),
    "landlock": ("Landlock", "is kept from files outside its room by the kernel a second time"),
    "seccomp": ("Filtered system calls", "asks of the kernel only what a program that computes needs"),
    "privileges": ("No privileges", "has no capability, and can gain none"),
    "limits": (
        "Limits of a process",
        "has bounds for open files, the size of files, and memory where nothing better is",
    ),
    "memory": ("Bounded memory", "is ended when all its processes together exceed their memory"),
    "tasks": ("Bounded processes", "cannot start more processes and threads than it may"),
    "cpu": ("Shared processors", "gets its share of the processors; learning gives way to those who execute"),
}


@dataclass(frozen=True)
class Wall:
    """One wall of a machine."""

    name: str
    title: str
    does: str  # the end of a sentence whose subject is the application
    why_not: str  # why it does not stand, a sentence; empty: it stands

    @property
    def stands(self) -> bool:
        return not self.why_not


def of(told: Mapping[str, str]) -> list[Wall]:
    """The walls of a machine, from what its runner tells of each: empty if it stands, else why not."""
    names = [*(name for name in WORDS if name in told), *(name for name in told if name not in WORDS)]
    return [Wall(name, *WORDS.get(name, (name, "")), why_not=told[name]) for name in names]
