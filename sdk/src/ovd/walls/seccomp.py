"""Seccomp: the filter of system calls. What a numerical program does not need is refused by the kernel before any of
its code for that call runs.

A filter is a program for the kernel's small packet machine (linux/filter.h, linux/seccomp.h), written here by hand. It
is made when this module is imported, in the template, so that a process only has to install it.
"""

import ctypes
import errno
import platform
import struct
from typing import Dict, Iterable, List, NamedTuple, Tuple

from ovd.walls import calls, syscalls

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # AUDIT_ARCH_…: 64 bits, little endian

_LOAD, _EQUAL, _AT_LEAST, _ABOVE, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x25, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # places in struct seccomp_data

_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_REFUSE = _ERRNO | errno.EPERM
_ABSENT = _ERRNO | errno.ENOSYS
_PRETEND = _ERRNO  # answer 0 and do nothing

_AF_UNIX, _AF_INET, _AF_INET6 = 1, 2, 10
_NEW_NAMESPACES = 0x7E020000  # mount, cgroup, uts, ipc, user, pid, network

_IOCTLS = (  # terminals (which are none here), and what is true of any descriptor
    *(0x5401, 0x5402, 0x5403, 0x5404, 0x802C542A, 0x540F, 0x5410, 0x5413, 0x5429),
    *(0x541B, 0x5421, 0x5450, 0x5451, 0x5452),  # bytes to read, non-blocking, close on exec
    0x80086601,  # flags of a file
)
_TIOCSTI, _TIOCLINUX, _FICLONE = 0x5412, 0x541C, 0x40049409

_PR_SET_PDEATHSIG = 1
_PRCTLS = (
    *(
        2,
        3,
        4,
        7,
        15,
        16,
        21,
        23,
        27,
        29,
        30,
        37,
        38,
        39,
        40,
        41,
        42,
        52,
    ),  # names, dumpable, timers, huge pages; reading
    *(50, 51, 54, 55, 56, 63, 64),  # vector lengths and pointer keys of ARM
    *(65, 66, 78, 0x53564D41),  # no writable code, futexes, names of memory
)
_PERSONALITIES = (0, 0xFFFFFFFF)  # as it is; what is it?

Instruction = Tuple[int, int, int, int]  # code, jump if true, jump if false, number


class Filter(NamedTuple):
    """A program that the kernel runs before each system call."""

    program: bytes


class _Header(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("program", ctypes.c_char_p)]


def of_application(machine: str, *, local: bool, network: bool, devices: bool) -> Filter:
    """Everything is refused but what is in the lists. `local`: unix sockets may be made; `network`: TCP and UDP ones;
    `devices`: there are device files (a GPU), whose ioctl calls nobody can list."""
    numbers = syscalls.numbers(machine)
    families = ([_AF_UNIX] if local else []) + ([_AF_INET, _AF_INET6] if network else [])
    judged = {
        "clone": [_load(0), *_if_any_bit(_NEW_NAMESPACES, _REFUSE), _return(_ALLOW)],
        "clone3": [_return(_ABSENT)],  # its flags are out of sight; the C library then takes clone
        "socket": [_load(0), *_if_equal(families, _ALLOW), _return(_REFUSE)],
        "socketpair": [_load(0), *_if_equal([_AF_UNIX], _ALLOW), _return(_REFUSE)],
        "ioctl": _ioctl(devices),
        "prctl": [_load(0), *_if_equal([_PR_SET_PDEATHSIG], _PRETEND), *_if_equal(_PRCTLS, _ALLOW), _return(_REFUSE)],
        "personality": [_load(0), *_if_equal(_PERSONALITIES, _ALLOW), _return(_REFUSE)],
    }
    for name in syscalls.UNSUPPORTED:  # as on a file system without them; copying then goes on
        judged[name] = [_return(_ERRNO | errno.EOPNOTSUPP)]
    allowed = [numbers[name] for name in syscalls.ALLOWED if name in numbers]
    return _filter(machine, {numbers[name]: block for name, block in judged.items()}, _ranges(allowed), _ALLOW, _REFUSE)


def of_template(machine: str) -> Filter:
    """What a template has no use for is refused; it and its children keep the rest until they enclose themselves."""
    numbers = syscalls.numbers(machine)
    refused = [numbers[name] for name in syscalls.TEMPLATE_REFUSED if name in numbers]
    return _filter(machine, {numbers["ioctl"]: _ioctl(devices=True)}, _ranges(refused), _REFUSE, _ALLOW)


def install(chosen: Filter) -> None:
    """For good, for this thread and all that it will make. Needs `calls.no_new_privileges` first."""
    header = _Header(len(chosen.program) // 8, chosen.program)
    calls.prctl("SECCOMP", 22, 2, ctypes.addressof(header))


def _ioctl(devices: bool) -> List[Instruction]:
    pushing = _if_equal([_TIOCSTI, _TIOCLINUX], _REFUSE)  # typing for the owner of a terminal
    if devices:
        return [_load(1), *pushing, _return(_ALLOW)]
    cloning = _if_equal([_FICLONE], _ERRNO | errno.EOPNOTSUPP)  # as file systems without it say; copying goes on
    return [_load(1), *pushing, *cloning, *_if_equal(_IOCTLS, _ALLOW), _return(_ERRNO | errno.ENOTTY)]


def _filter(
    machine: str, judged: Dict[int, List[Instruction]], ranges: List[Tuple[int, int]], inside: int, outside: int
) -> Filter:
    """Another architecture's call ends the process; unknown newer calls do not exist (x32's neither); then one rule
    each for those judged, and one for what lies in ranges and outside."""
    program: List[Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, _ARCHITECTURES[machine]),
        _return(_KILL),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, syscalls.NEWEST + 1),
        _return(_ABSENT),
    ]
    for number, block in judged.items():
        program += [(_EQUAL, 0, len(block), number), *block]
    program += _search(ranges, inside, outside)
    return Filter(b"".join(struct.pack("=HBBI", *instruction) for instruction in program))


def _search(ranges: List[Tuple[int, int]], inside: int, outside: int) -> List[Instruction]:
    """Halve until one range is left: when a filter is installed, the kernel runs it for each number once."""
    if not ranges:
        return [_return(outside)]
    if len(ranges) == 1:
        low, high = ranges[0]
        return [(_AT_LEAST, 0, 2, low), (_ABOVE, 1, 0, high), _return(inside), _return(outside)]
    middle = len(ranges) // 2
    below = _search(ranges[:middle], inside, outside)
    above = _search(ranges[middle:], inside, outside)
    pivot = ranges[middle][0]
    if len(below) > 255:
        return [(_AT_LEAST, 0, 1, pivot), (0x05, 0, 0, len(below)), *below, *above]  # a jump of any length
    return [(_AT_LEAST, len(below), 0, pivot), *below, *above]


def _ranges(numbers: Iterable[int]) -> List[Tuple[int, int]]:
    """Sorted numbers as ranges, both ends included."""
    ranges: List[Tuple[int, int]] = []
    for number in sorted(set(numbers)):
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1] = (ranges[-1][0], number)
        else:
            ranges.append((number, number))
    return ranges


def _load(argument: int) -> Instruction:
    """The low 32 bits of an argument: the kernel, too, looks only at these for the calls judged here."""
    return (_LOAD, 0, 0, _ARGUMENTS + 8 * argument)


def _return(answer: int) -> Instruction:
    return (_RETURN, 0, 0, answer)


def _if_equal(values: Iterable[int], answer: int) -> List[Instruction]:
    return [instruction for value in values for instruction in ((_EQUAL, 0, 1, value), _return(answer))]


def _if_any_bit(bits: int, answer: int) -> List[Instruction]:
    return [(_ANY_BIT, 0, 1, bits), _return(answer)]


def here() -> str:
    """The machine whose numbers count."""
    return platform.machine()
