"""Reach: tries to get at what is not its own. Each act tells what it got as "what: how", one a line; nothing is good.

`words` is JSON from the test: paths and addresses of the platform, which a real stranger would have to guess.
"""

import ctypes
import json
import os
import resource
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ovd
from ovd import App, Context, text

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.syscall.restype = ctypes.c_long
MARK = "left by hostile-reach"
SYSCALLS = {  # x86_64: name → (number, arguments)
    "unshare user": (272, 0x10000000), "unshare mount": (272, 0x20000), "unshare net": (272, 0x40000000),
    "unshare pid": (272, 0x20000000), "clone new user": (56, 0x10000000 | 17, 0, 0, 0, 0),
    "mount tmpfs": (165, b"none", b"/tmp", b"tmpfs", 0, 0), "umount": (166, b"/app", 2),
    "pivot_root": (155, b".", b"."), "chroot": (161, b"/"), "setns": (308, 0, 0), "open_tree": (428, -100, b"/", 1),
    "fsopen": (430, b"tmpfs", 0), "keyctl": (250, 0, -3, 1), "add_key": (248, b"user", b"k", b"v", 1, -3),
    "request_key": (249, b"user", b"k", 0, 0), "io_uring_setup": (425, 8, ctypes.create_string_buffer(120)),
    "bpf": (321, 0, ctypes.create_string_buffer(128), 128),
    "perf_event_open": (298, ctypes.create_string_buffer(128), 0, -1, -1, 0),
    "userfaultfd": (323, 0), "clock_settime": (227, 0, ctypes.create_string_buffer(16)),
    "settimeofday": (164, ctypes.create_string_buffer(16), 0), "adjtimex": (159, b"\x01\x20" + bytes(206)),
    "sethostname": (170, b"pwned", 5), "reboot": (169, 0xFEE1DEAD, 672274793, 0, 0), "swapon": (167, b"/x", 0),
    "kexec_load": (246, 0, 0, 0, 0), "init_module": (175, 0, 0, b""), "iopl": (172, 3), "ioperm": (173, 0, 8, 1),
    "acct": (163, b"/tmp/acct"), "quotactl": (179, 0, 0, 0, 0), "syslog": (103, 3, ctypes.create_string_buffer(99), 99),
    "ptrace traceme": (101, 0, 0, 0, 0), "ptrace attach": (101, 16, os.getppid() or 2, 0, 0),
    "process_vm_readv": (310, os.getppid() or 2, 0, 0, 0, 0, 0),
    "open_by_handle_at": (304, -100, ctypes.create_string_buffer(24), 0),
    "name_to_handle_at": (303, -100, b"/", ctypes.create_string_buffer(144), ctypes.create_string_buffer(8), 0),
    "fanotify_init": (300, 0, 0), "setuid 0 of nobody": (117, 65534, 65534, 65534),
    "mknod device": (133, b"/tmp/mem", 0o20600, 0x101), "kcmp": (312, 1, 2, 0, 0, 0), "lookup_dcookie": (212, 0, 0, 0),
    "vhangup": (153,), "nfsservctl": (180, 0, 0, 0), "pidfd_getfd": (438, 0, 0, 0),
    "move_pages": (279, 0, 1, 0, 0, 0, 0), "modify_ldt": (154, 1, ctypes.create_string_buffer(16), 16),
}  # fmt: skip


def tried(what: str, attempt: Callable[[], Any]) -> list[str]:
    """What it got, if anything."""
    try:
        got = attempt()
    except (OSError, ValueError, OverflowError, PermissionError):
        return []
    return [f"{what}: {str(got)[:200]!r}"] if got else []


def files(words: dict[str, Any]) -> Iterator[str]:
    """Read what is at these paths; and look everywhere else for texts that only others know."""
    for path in words["paths"]:
        for one in (path, f"/proc/self/root{path}", f"/proc/1/root{path}", f"/app/../../..{path}"):
            yield from tried(f"open {one}", lambda one=one: Path(one).read_bytes()[:50] or "empty")
            yield from tried(f"list {one}", lambda one=one: os.listdir(one))
            yield from tried(f"stat {one}", lambda one=one: os.stat(one))
    needles = [needle.encode() for needle in words["needles"]]
    until = time.monotonic() + 8
    for folder, folders, names in os.walk("/"):
        if folder.startswith(("/proc", "/sys", "/usr/share", "/usr/lib", "/usr/bin")) or time.monotonic() > until:
            folders.clear()
            continue
        for name in names:
            path = os.path.join(folder, name)
            if os.path.isfile(path) and os.path.getsize(path) < 4 << 20:
                yield from tried(f"found in {path}", lambda path=path: _holds(path, needles))


def _holds(path: str, needles: list[bytes]) -> list[bytes]:
    data = Path(path).read_bytes()
    return [needle for needle in needles if needle in data]


def processes(words: dict[str, Any]) -> Iterator[str]:
    """See, read, stop and change processes that are not its own."""
    mine = os.getpid()
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != mine:
            command = tried(f"command of {entry}", lambda entry=entry: Path(f"/proc/{entry}/cmdline").read_bytes())
            yield from command
            for name in ("environ", "maps", "mem", "stack", "auxv"):
                yield from tried(
                    f"{name} of {entry}", lambda n=name, e=entry: Path(f"/proc/{e}/{n}").open("rb").read(9)
                )
            for name in ("fd", "cwd/", "root/", "task"):
                yield from tried(f"{name} of {entry}", lambda n=name, e=entry: os.listdir(f"/proc/{e}/{n}"))
    for pid in words["pids"]:
        yield from tried(f"signal {pid}", lambda pid=pid: os.kill(pid, 0) is None)
        yield from tried(f"kill {pid}", lambda pid=pid: os.kill(pid, signal.SIGKILL) is None)
        yield from tried(f"group {pid}", lambda pid=pid: os.killpg(pid, signal.SIGKILL) is None)
        yield from tried(f"pidfd {pid}", lambda pid=pid: os.pidfd_open(pid))
        yield from tried(f"priority {pid}", lambda pid=pid: os.setpriority(os.PRIO_PROCESS, pid, 19) is None)
        yield from tried(f"limits {pid}", lambda pid=pid: resource.prlimit(pid, resource.RLIMIT_NOFILE, (1, 1)))
        yield from tried(f"affinity {pid}", lambda pid=pid: os.sched_setaffinity(pid, {0}) is None)
        yield from tried(f"attach {pid}", lambda pid=pid: LIBC.syscall(101, 16, pid, 0, 0) == 0)
    try:
        os.kill(-1, signal.SIGKILL)
    except OSError:
        pass
    try:
        os.kill(-1, signal.SIGTERM)
    except OSError:
        pass


def sockets(words: dict[str, Any]) -> Iterator[str]:
    """Talk to anybody."""
    for path in words["sockets"]:
        yield from tried(f"connect {path}", lambda path=path: _connect(socket.AF_UNIX, path))
    for path in words["folders"]:
        yield from tried(f"sockets in {path}", lambda path=path: os.listdir(path))
    for port in words["ports"]:
        for host in ("127.0.0.1", "0.0.0.0", words["host"]):
            yield from tried(f"connect {host}:{port}", lambda h=host, p=port: _connect(socket.AF_INET, (h, p)))
        yield from tried(f"connect [::1]:{port}", lambda p=port: _connect(socket.AF_INET6, ("::1", p)))
    for address in (("1.1.1.1", 53), ("169.254.169.254", 80), (words["host"], 22)):
        yield from tried(f"connect {address}", lambda a=address: _connect(socket.AF_INET, a))
        yield from tried(f"datagram to {address}", lambda a=address: _datagram(a))
    yield from tried("listen for others", lambda: _listen())
    for name, family, kind in (
        ("raw", socket.AF_INET, socket.SOCK_RAW), ("packet", socket.AF_PACKET, socket.SOCK_RAW),
        ("vsock", 40, socket.SOCK_STREAM), ("alg", 38, socket.SOCK_SEQPACKET), ("netlink", 16, socket.SOCK_RAW),
        ("bluetooth", 31, socket.SOCK_RAW), ("can", 29, socket.SOCK_RAW), ("key", 15, socket.SOCK_RAW),
    ):  # fmt: skip
        yield from tried(f"{name} socket", lambda f=family, k=kind: socket.socket(f, k))
    for line in tried("x", lambda: Path("/proc/net/unix").read_text()):
        yield from (f"sees {name}" for name in line.split() if "ovd" in name or "runner" in name)
    for name in words["abstract"]:
        yield from tried(f"abstract {name}", lambda name=name: _connect(socket.AF_UNIX, "\0" + name))
    yield from tried("resolve", lambda: socket.gethostbyname("example.org"))


def _connect(family: int, address: Any) -> bool:
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.settimeout(0.5)
        sock.connect(address)
        return True


def _datagram(address: tuple[str, int]) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        return sock.sendto(b"x", address)


def _listen() -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.bind(("0.0.0.0", 0))
        sock.listen()
        return socket.gethostname() in ("", "localhost") or len(socket.if_nameindex()) > 1


def kernel(words: dict[str, Any]) -> Iterator[str]:
    """Calls that a numerical program does not need."""
    for name, (number, *arguments) in SYSCALLS.items():
        given = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
        before = os.getpid()
        answer = LIBC.syscall(ctypes.c_long(number), *given)
        if os.getpid() != before:
            os._exit(0)  # a clone that should not be
        if answer >= 0:
            yield f"{name}: {answer}"
    for name in (
        "/proc/sys/kernel/core_pattern",
        "/proc/sys/kernel/hostname",
        "/proc/sysrq-trigger",
        "/proc/self/attr/current",
    ):
        yield from tried(f"write {name}", lambda name=name: Path(name).open("wb").write(b"|/tmp/x"))
    for name in (
        "/dev/mem",
        "/dev/kmsg",
        "/dev/sda",
        "/dev/vda",
        "/dev/fuse",
        "/dev/kvm",
        "/dev/net/tun",
        "/proc/kcore",
    ):
        yield from tried(f"open {name}", lambda name=name: os.open(name, os.O_RDONLY) > 0)


def writing(words: dict[str, Any]) -> Iterator[str]:
    """Change the release, the environment, the SDK, the system; what it may use."""
    own = Path(__file__)
    places = [own.parent, Path(ovd.__file__).parent, Path(os.__file__).parent, Path(sys.prefix), Path(sys.executable)]
    places += [Path(tempfile.__file__), own, Path("/etc"), Path("/usr/bin"), Path("/"), Path("/model"), Path("/app")]
    for place in places:
        file = place if place.is_file() else place / "left"
        yield from tried(
            f"write {file}", lambda f=file: f.open("ab").write(b"#") if f.is_file() else f.write_bytes(b"x")
        )
        yield from tried(f"chmod {place}", lambda p=place: p.chmod(0o777) is None)
        yield from tried(f"rename {place}", lambda p=place: p.rename(p.with_name("gone")))
        yield from tried(f"link in {place}", lambda p=place: (p / "link").symlink_to("/etc") is None)
        yield from tried(
            f"own {place}", lambda p=place: os.chown(p, os.getuid(), os.getgid()) is None and not os.access(p, os.W_OK)
        )
        yield from tried(f"times {place}", lambda p=place: os.utime(p, (1, 1)) is None)
    for cgroup in Path("/sys/fs/cgroup").rglob("memory.max"):
        yield from tried(f"raise {cgroup}", lambda c=cgroup: c.write_text("max"))
    yield from tried("oom_score_adj", lambda: Path("/proc/self/oom_score_adj").write_text("-1000"))
    yield from tried("nice", lambda: os.nice(-5) < 0)
    yield from tried("realtime", lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(5)) is None)
    for name in ("NOFILE", "NPROC", "FSIZE", "CORE", "DATA", "AS", "MEMLOCK", "NICE", "RTPRIO"):
        kind = getattr(resource, f"RLIMIT_{name}")
        hard = resource.getrlimit(kind)[1]
        if hard != resource.RLIM_INFINITY:
            yield from tried(f"limit {name}", lambda k=kind, h=hard: resource.setrlimit(k, (h, h + 1)) is None)
    yield from tried(
        "lock memory", lambda: LIBC.mlockall(3) == 0 and resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] < 0
    )


def secrets(words: dict[str, Any]) -> Iterator[str]:
    """What stands in its own process: variables, arguments, descriptors, memory of the template."""
    needles = [needle for needle in words["needles"]]
    own = json.dumps(dict(os.environ)) + Path("/proc/self/environ").read_text(errors="replace")
    own += Path("/proc/self/cmdline").read_text(errors="replace") + Path("/proc/self/mountinfo").read_text()
    yield from (f"knows {needle}" for needle in needles if needle in own)
    yield from (
        f"variable {name}" for name in os.environ if any(w in name for w in ("TOKEN", "SECRET", "DATABASE", "PASS"))
    )
    for number in os.listdir("/proc/self/fd"):
        leads = ""
        try:
            leads = os.readlink(f"/proc/self/fd/{number}")
            os.listdir(f"/proc/self/fd/{number}/..")
            yield f"descriptor {number} is a way out: {leads}"
        except OSError:
            if "runner" in leads or "postgres" in leads or leads.endswith((".log", ".sock")):
                yield f"descriptor {number}: {leads}"


def leave(words: dict[str, Any]) -> Iterator[str]:
    """Leave something for whoever comes next, everywhere; and change everything in memory."""
    for folder in (
        "/tmp",
        "/dev/shm",
        "/scratch",
        "/var/tmp",
        "/run",
        "/",
        os.getcwd(),
        "/app",
        "/model",
        str(Path(ovd.__file__).parent),
    ):
        tried(folder, lambda folder=folder: Path(folder, "left").write_text(MARK))
    shared = LIBC.shmget(0x4F5644, 4096, 0o1666)
    if shared >= 0:
        LIBC.shmat.restype = ctypes.c_void_p
        place = LIBC.shmat(shared, None, 0)
        if place not in (None, ctypes.c_void_p(-1).value):
            ctypes.memmove(place, MARK.encode(), len(MARK))
    LIBC.msgget(0x4F5644, 0o1666)
    keep = socket.socket(socket.AF_UNIX)
    tried("abstract", lambda: (keep.bind("\0" + MARK), keep.listen()))
    ovd.left = json.left = sys.left = MARK  # type: ignore[attr-defined]
    os.environ["LEFT"] = MARK
    json.dumps.__defaults__ = ()  # type: ignore[attr-defined]
    App.left = MARK  # type: ignore[attr-defined]
    yield from ()


def look(words: dict[str, Any]) -> Iterator[str]:
    """In another application: is there anything?"""
    for folder in (
        "/tmp",
        "/dev/shm",
        "/scratch",
        "/var/tmp",
        "/run",
        "/",
        os.getcwd(),
        "/app",
        "/model",
        str(Path(ovd.__file__).parent),
    ):
        yield from tried(f"left in {folder}", lambda folder=folder: Path(folder, "left").read_text())
    yield from tried("shared memory", lambda: LIBC.shmget(0x4F5644, 4096, 0) >= 0)
    yield from tried("message queue", lambda: LIBC.msgget(0x4F5644, 0) >= 0)
    yield from tried("abstract socket", lambda: _connect(socket.AF_UNIX, "\0" + MARK))
    for thing in (ovd, json, sys, App):
        yield from ([f"memory: {thing}"] if hasattr(thing, "left") else [])
    yield from (["variable"] if "LEFT" in os.environ else [])


ACTS = {
    "files": files, "processes": processes, "sockets": sockets, "kernel": kernel, "writing": writing,
    "secrets": secrets, "leave": leave, "look": look,
}  # fmt: skip


class Reach(App):
    def execute(self, context: Context, act: str = text(), words: str = text(default="{}")) -> str:
        return "\n".join(dict.fromkeys(ACTS[act](json.loads(words))))[:50_000]
