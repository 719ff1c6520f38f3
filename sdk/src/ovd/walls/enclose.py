"""Enclose: the walls that a process puts up around itself, last before the application's code. None can be taken down
again, and all are inherited by its children.

The order matters: what needs rights comes before they are given up, and the filter of system calls, which refuses most
of this, is last.
"""

import os
from typing import NamedTuple, Optional, Sequence

from ovd.walls import NAMES, calls, limits
from ovd.walls.failure import wall
from ovd.walls.namespaces import own_user


class Enclosure(NamedTuple):
    """What the walls are to be."""

    uid: Optional[int] = None  # in the user namespace; None: there is only the user's own
    memory_mb: int = 512
    disk_mb: int = 256  # longest file
    tasks: int = 512
    readable: Sequence[str] = ()  # beside the system, where there is no room: environment, SDK, release, model
    writable: Sequence[str] = ("/scratch",)
    network: bool = False  # TCP to itself, where a proxy may listen; means nothing without the wall "network"
    standing: Sequence[str] = NAMES  # walls that this machine has; others are not tried
    devices: Sequence[str] = ()  # device files beside /dev/null and its like


def enclose(enclosure: Enclosure) -> None:
    """Put up the walls. Raises WallFailed; the process must then end, as it stands half open."""
    standing = set(enclosure.standing)
    limits.go_first()
    if "limits" in standing:
        with wall("limits"):
            limits.bind(memory_mb=enclosure.memory_mb, disk_mb=enclosure.disk_mb, tasks=enclosure.tasks)
    if "user" in standing:
        with wall("user"):
            _become(enclosure.uid)
    if "privileges" in standing:
        with wall("privileges"):
            calls.drop_capabilities()
            calls.no_new_privileges()
    calls.die_with_parent()  # a change of uid forgets it


def _become(uid: Optional[int]) -> None:
    """Be nobody: an own uid, or an own user namespace in which the only uid is not 0. Capabilities cannot come back."""
    if uid is None:
        own_user()
        calls.lock_capabilities()
    else:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        calls.lock_capabilities()
        os.setresuid(uid, uid, uid)
        calls.dumpable()
