"""Landlock: which files a process may reach, and no TCP and no signals to others, by the kernel's own list.

It stands beside the private view of mounts, and alone where there is none. Constants are those of linux/landlock.h;
each kernel knows so many of them as its version (ABI) says, and we use what is there.
"""

import ctypes
import os
from typing import Iterable

from ovd.walls import calls

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_VERSION = 1

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_CHANGE_FOLDERS = 0b1011110110000  # remove and make: folders, files, sockets, fifos, links; not devices
_MAKE_DEVICES = (1 << 6) | (1 << 11)
_REFER, _TRUNCATE, _IOCTL_DEVICE = 1 << 13, 1 << 14, 1 << 15

READ = EXECUTE | READ_FILE | READ_DIR
USE = READ_FILE | WRITE_FILE | _TRUNCATE | _IOCTL_DEVICE  # a device
CHANGE = READ | WRITE_FILE | _CHANGE_FOLDERS | _REFER | _TRUNCATE
_OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | _TRUNCATE | _IOCTL_DEVICE

_BIND_TCP, _CONNECT_TCP = 1, 2
_SCOPE_ABSTRACT_SOCKETS, _SCOPE_SIGNALS = 1, 2
_QUIET = 0b101  # refusals of ours and of domains below do not fill the machine's audit log


class _Ruleset(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("files", "network", "scoped")]


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32)]


def version() -> int:
    """Landlock's ABI on this kernel, from 1. Raises OSError where there is none."""
    return calls.syscall("landlock", _CREATE, None, 0, _VERSION)


def restrict(
    *, readable: Iterable[str], writable: Iterable[str], devices: Iterable[str], network: bool, abi: int
) -> None:
    """From now on only these can be reached, with what is below them; names that do not exist are left out. Not
    `network`: no TCP. No signals and no abstract sockets beyond us and our children. Needs no new privileges."""
    files = _files_of(abi)
    ruleset = _create(files=files, network=0 if network or abi < 4 else _BIND_TCP | _CONNECT_TCP, abi=abi)
    try:
        for paths, rights in ((readable, READ), (writable, CHANGE), (devices, USE)):
            for path in paths:
                _allow(ruleset, path, rights & files)
        _enforce(ruleset, abi)
    finally:
        os.close(ruleset)


def keep_to_ourselves(abi: int) -> None:
    """Signals and abstract sockets reach us and our children only (from ABI 6 on); files and mounts are as before."""
    if abi < 6:
        return
    ruleset = _create(files=0, network=0, abi=abi)
    try:
        _enforce(ruleset, abi)
    finally:
        os.close(ruleset)


def _files_of(abi: int) -> int:
    known = CHANGE | _MAKE_DEVICES | _IOCTL_DEVICE
    for since, right in ((2, _REFER), (3, _TRUNCATE), (5, _IOCTL_DEVICE)):
        if abi < since:
            known &= ~right
    return known


def _create(*, files: int, network: int, abi: int) -> int:
    scoped = _SCOPE_ABSTRACT_SOCKETS | _SCOPE_SIGNALS if abi >= 6 else 0
    rules = _Ruleset(files, network, scoped)
    return calls.syscall("landlock_create_ruleset", _CREATE, ctypes.byref(rules), ctypes.sizeof(rules), 0)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, PermissionError):
        return
    try:
        if not os.path.isdir(path):
            rights &= _OF_FILES
        beneath = _Beneath(rights, parent)
        calls.syscall(f"landlock_add_rule {path}", _ADD, ruleset, 1, ctypes.byref(beneath), 0)
    finally:
        os.close(parent)


def _enforce(ruleset: int, abi: int) -> None:
    calls.syscall("landlock_restrict_self", _RESTRICT, ruleset, _QUIET if abi >= 7 else 0)
