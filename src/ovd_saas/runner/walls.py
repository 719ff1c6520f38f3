"""Walls: which of them stand on this machine, which must, and the refusal to run without. docs/explanation/walls.md
says what each is for."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from ovd import walls
from ovd.walls import standing
from ovd_saas.runner import hierarchies
from ovd_saas.runner.configuration import Misconfigured

OF_GROUPS = {"memory": hierarchies.MEMORY, "tasks": hierarchies.TASKS, "cpu": hierarchies.CPU}
NAMES = (*walls.NAMES, *OF_GROUPS)
ALL = "all"

PURPOSES = {  # for people
    "user": "a user of its own for each application",
    "files": "it sees its own files and the system's, and no others",
    "processes": "it sees its own processes, and no others",
    "network": "no network but what the operator allows",
    "ipc": "no shared memory or names of the machine",
    "landlock": "the kernel's list of files it may reach; no signals to others",
    "seccomp": "system calls that numerical programs do not need are refused",
    "privileges": "no rights, and none to be gained",
    "limits": "bounds on files, descriptors, tasks, reserved memory",
    "memory": "its memory is bounded by a control group",
    "tasks": "its processes and threads are bounded by a control group",
    "cpu": "learning gives way to executions, by a control group",
}
INSTEAD = {  # what is done where a control group is not to be had
    "memory": "Without it, memory is looked at four times a second.",
    "tasks": "Without it, tasks are counted every 2 s, and bounded by user where that is its own.",
    "cpu": "Without it, learning runs at a lower priority (nice).",
}


@dataclass(frozen=True)
class Found:
    """What was found on this machine."""

    missing: Mapping[str, str]  # wall → empty if it stands, else why it does not, with the cure
    remarks: Mapping[str, str]  # wall → what to know although it stands


def examine(*, first_uid: int) -> Found:
    """Try all walls, those of control groups too, and leave nothing behind; a runner that lives here is not touched."""
    found = standing.examine(first_uid=first_uid)
    _, missing = hierarchies.usable(hierarchies.mounted(), f"ovd-doctor-{os.getpid()}")
    groups = {name: missing.get(controller, "") for name, controller in OF_GROUPS.items()}
    return Found({**found.missing, **groups}, found.remarks)


def required(setting: str) -> tuple[str, ...]:
    """The walls that OVD_WALLS names. Raises Misconfigured when there is no such wall."""
    if setting.strip() == ALL:
        return NAMES
    asked = [name.strip() for name in setting.split(",") if name.strip()]
    unknown = [name for name in asked if name not in NAMES]
    if unknown:
        raise Misconfigured(
            f"OVD_WALLS names {', '.join(unknown)}, which is no wall. "
            f"Walls are {', '.join(NAMES)}; {ALL} means all of them, and nothing as many as stand."
        )
    return tuple(name for name in NAMES if name in asked)


def insist(setting: str, missing: Mapping[str, str]) -> None:
    """Raises Misconfigured when a wall that OVD_WALLS names does not stand: better no application than one without."""
    lacking = [name for name in required(setting) if missing.get(name, "")]
    if lacking:
        reasons = "".join(f"\n  {name}: {missing[name]}" for name in lacking)
        raise Misconfigured(
            f"OVD_WALLS asks for walls that do not stand on this machine:{reasons}\n"
            "Cure that, or take the names out of OVD_WALLS to run applications without these walls."
        )
