"""Enclose: the walls that a process puts up around itself, last before the application's code. None can be taken down
again, and all are inherited by its children.

The order matters: what needs rights comes before they are given up, and the filter of system calls, which refuses most
of this, is last.
"""

import os
from functools import lru_cache
from typing import Collection, NamedTuple, Optional, Sequence

from ovd.walls import NAMES, calls, landlock, limits, namespaces, room, seccomp
from ovd.walls.failure import wall


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


def warm() -> None:
    """Make what every process needs, once, in the template: the filters of system calls."""
    for network in (False, True):
        _filter(local=True, network=network, devices=False)


def guard(standing: Collection[str]) -> None:
    """For a template's launcher, as uid 0 of its user namespace, before it executes Python: what a template has no use
    for is taken away, so that a library's own code, run at import, has no network and no signals to others."""
    with wall("network"):
        calls.unshare(namespaces.flags_of(set(standing) & {"network", "ipc"}))
    if "privileges" in standing:
        with wall("privileges"):
            calls.no_new_privileges()
        if "landlock" in standing:
            with wall("landlock"):
                landlock.keep_to_ourselves(landlock.version())
        if "seccomp" in standing:
            with wall("seccomp"):
                seccomp.install(seccomp.of_template(seccomp.here()))


def enclose(enclosure: Enclosure) -> None:
    """Put up the walls. Raises WallFailed; the process must then end, as it stands half open."""
    standing = set(enclosure.standing)
    limits.go_first()
    if "user" in standing:
        with wall("user"):
            _become(enclosure.uid)
    if "limits" in standing:
        with wall("limits"):  # after the user: its namespace would count all of its parent against our number
            limits.bind(memory_mb=enclosure.memory_mb, disk_mb=enclosure.disk_mb, tasks=enclosure.tasks)
    if "privileges" in standing:
        with wall("privileges"):
            calls.drop_capabilities()
            calls.no_new_privileges()
    with wall("processes"):
        calls.die_with_parent()  # a change of uid forgets it
    if "landlock" in standing:
        with wall("landlock"):
            _list_files(enclosure, has_room="files" in standing, network=_network(enclosure))
    if "seccomp" in standing:
        with wall("seccomp"):
            seccomp.install(
                _filter(
                    local="files" in standing,  # without a room, the platform's own sockets are in sight
                    network=_network(enclosure),
                    devices=bool(enclosure.devices),
                )
            )


def _network(enclosure: Enclosure) -> bool:
    """Without a network of its own, nobody could hold a process to its list of hosts: then it has none."""
    return enclosure.network and "network" in enclosure.standing


def _list_files(enclosure: Enclosure, *, has_room: bool, network: bool) -> None:
    devices = [*room.DEVICES, *enclosure.devices]
    landlock.restrict(
        readable=["/"] if has_room else [*room.readable_of_machine(), *enclosure.readable],
        writable=[*enclosure.writable, "/dev/shm"],
        devices=devices,
        network=network,
        abi=landlock.version(),
    )


@lru_cache(maxsize=None)
def _filter(*, local: bool, network: bool, devices: bool) -> seccomp.Filter:
    return seccomp.of_application(seccomp.here(), local=local, network=network, devices=devices)


def _become(uid: Optional[int]) -> None:
    """Be nobody: an own uid, or an own user namespace in which the only uid is not 0. Capabilities cannot come back."""
    if uid is None:
        namespaces.own_user()
        calls.lock_capabilities()
    else:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        calls.lock_capabilities()
        os.setresuid(uid, uid, uid)
        calls.dumpable()
