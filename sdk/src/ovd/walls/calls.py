"""Calls: the system calls that Python lacks, by way of the C library. Each raises OSError naming itself.

Numbers and structures are those of Linux's own headers (asm/unistd.h, linux/mount.h, linux/prctl.h, linux/sched.h,
linux/capability.h); `man 2` of each call says what it does.
"""

import ctypes
import errno
import os
import platform
import signal
from typing import Optional, Union

NEWNS = 0x00020000
NEWUTS = 0x04000000
NEWIPC = 0x08000000
NEWUSER = 0x10000000
NEWPID = 0x20000000
NEWNET = 0x40000000

RDONLY, NOSUID, NODEV, NOEXEC, REMOUNT, BIND, MOVE, REC = 1, 2, 4, 8, 32, 4096, 8192, 16384
PRIVATE, SLAVE = 1 << 18, 1 << 19

_DETACH = 2  # umount2: now, though something may still use it
_AT_FDCWD, _AT_RECURSIVE, _AT_EMPTY_PATH = -100, 0x8000, 0x1000
_OPEN_TREE_CLONE = 1
_MOVE_MOUNT_F_EMPTY_PATH = 4

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_SECUREBITS = 1, 4, 24, 28
_PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 38, 47, 4
_SECUREBITS = (
    0b11101111  # uid 0 means nothing, uids change nothing, no ambient ones, nothing kept over exec; all locked
)
_LAST_CAPABILITY = 63
_CAPABILITY_VERSION_3 = 0x20080522

# From Linux 5.2 on, numbers are the same everywhere; these two are older.
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442

_libc = ctypes.CDLL(None, use_errno=True)
_libc.signal.argtypes = [ctypes.c_int, ctypes.c_void_p]
_libc.signal.restype = ctypes.c_void_p


class _MountAttributes(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("attr_set", "attr_clr", "propagation", "userns_fd")]


class _CapabilityHeader(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _CapabilitySets(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint32) for name in ("effective", "permitted", "inheritable")]


def syscall(name: str, number: int, *arguments: Union[int, bytes, "ctypes._CArgObject", None]) -> int:
    """Any system call. Numbers travel as 64 bits, bytes as a pointer to them."""
    passed = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    return _checked(name, _libc.syscall(ctypes.c_long(number), *passed))


def unshare(flags: int) -> None:
    """Leave the namespaces named by flags for new ones. A pid namespace begins with the next child."""
    _checked("unshare", _libc.unshare(flags))


def mount(
    source: Optional[str], target: str, kind: Optional[str], flags: int = 0, options: Optional[str] = None
) -> None:
    """mount(2)."""
    _checked(
        f"mount {kind or source or ''}",
        _libc.mount(_bytes(source), _bytes(target), _bytes(kind), ctypes.c_ulong(flags), _bytes(options)),
        target,
    )


def umount(target: str) -> None:
    """Take a mount away at once; who still uses it keeps it until done."""
    _checked("umount", _libc.umount2(_bytes(target), _DETACH), target)


def pivot_root(folder: str) -> None:
    """Make a mount the root, and let go of the old one with everything in it."""
    os.chdir(folder)
    syscall("pivot_root", _PIVOT_ROOT[platform.machine()], b".", b".")
    umount(".")
    os.chdir("/")


def open_tree(path: str) -> int:
    """A detached copy of what is mounted at path and below. A descriptor, closed on exec, to hand to `move_mount`."""
    flags = _OPEN_TREE_CLONE | _AT_RECURSIVE | os.O_CLOEXEC
    return syscall(f"open_tree {path}", _OPEN_TREE, _AT_FDCWD, os.fsencode(path), flags)


def move_mount(fd: int, target: str) -> None:
    """Attach what `open_tree` gave, once. The descriptor stays open."""
    syscall(f"move_mount {target}", _MOVE_MOUNT, fd, b"", _AT_FDCWD, os.fsencode(target), _MOVE_MOUNT_F_EMPTY_PATH)


def restrict(fd: int, flags: int) -> None:
    """Add flags (RDONLY, NOSUID, NODEV, NOEXEC) to a mount and all below it; none is taken away."""
    attributes = _MountAttributes(attr_set=flags)
    how = _AT_EMPTY_PATH | _AT_RECURSIVE
    size = ctypes.sizeof(attributes)
    syscall("mount_setattr", _MOUNT_SETATTR, fd, b"", how, ctypes.byref(attributes), size)


def make_read_only(fd: int) -> None:
    """Nothing below can be written, gain rights by set-uid, or be a device."""
    restrict(fd, RDONLY | NOSUID | NODEV)


def prctl(name: str, option: int, first: int = 0, second: int = 0) -> int:
    """prctl(2)."""
    words = [ctypes.c_ulong(each) for each in (first, second, 0, 0)]
    return _checked(f"prctl {name}", _libc.prctl(option, *words))


def no_new_privileges() -> None:
    """From now on no program gives us rights that we do not have: set-uid and file capabilities mean nothing."""
    prctl("NO_NEW_PRIVS", _PR_SET_NO_NEW_PRIVS, 1)


def lock_capabilities() -> None:
    """None can be gained any more, by exec or by being uid 0; those we have stay, also over a change of uid."""
    prctl("CAP_AMBIENT", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    prctl("SECUREBITS", _PR_SET_SECUREBITS, _SECUREBITS)
    for capability in range(_LAST_CAPABILITY + 1):
        try:
            prctl("CAPBSET_DROP", _PR_CAPBSET_DROP, capability)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            break  # the first that this kernel does not know


def drop_capabilities() -> None:
    """None left."""
    header = _CapabilityHeader(_CAPABILITY_VERSION_3, 0)
    sets = (_CapabilitySets * 2)()
    _checked("capset", _libc.capset(ctypes.byref(header), ctypes.byref(sets)))


def dumpable() -> None:
    """Our own files in /proc are ours again after a change of uid (and may be read by our own uid only)."""
    prctl("DUMPABLE", _PR_SET_DUMPABLE, 1)


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """The kernel sends us this when the thread that is our parent ends. A change of uid or gid forgets it: call it
    after."""
    prctl("PDEATHSIG", _PR_SET_PDEATHSIG, number)


def exit_on_alarm() -> None:
    """SIGALRM ends us with exit code 14, at once, even where its default action does not: as pid 1 of a namespace."""
    handler = ctypes.cast(_libc._exit, ctypes.c_void_p)
    _libc.signal(signal.SIGALRM, handler)


def _bytes(text: Optional[str]) -> Optional[bytes]:
    return None if text is None else os.fsencode(text)


def _checked(name: str, answer: int, path: Optional[str] = None) -> int:
    if answer >= 0:
        return answer
    number = ctypes.get_errno()
    raise OSError(number, f"{name}: {os.strerror(number)}", path)
