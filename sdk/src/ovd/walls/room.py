"""Room: the files that a template, and then each application, can see. Everything else is not there.

`build` is called once by a template's launcher, `furnish` by each process for what is its own.
"""

import glob
import os
import shutil
from typing import List, Optional, Sequence

from ovd.walls import calls, proc
from ovd.walls.failure import wall

SYSTEM = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")  # beside /usr: links into it, or folders
OWN = ("app", "model", "scratch")  # what each process attaches for itself
COPIED = (  # files of /etc that programs look for and that tell nothing about anybody
    *("ld.so.cache", "localtime", "services", "protocols", "mime.types", "os-release", "debian_version", "timezone"),
    *("ssl/openssl.cnf", "inputrc", "magic", "gai.conf"),
)
SHOWN = (  # folders of /etc, the same
    *("alternatives", "ssl/certs", "pki/tls/certs", "pki/ca-trust", "fonts", "OpenCL", "R", "octave"),
    *("ImageMagick-6", "ImageMagick-7", "java-*-openjdk", "perl"),
)
SYSTEM_FACTS = ("/sys/devices/system/cpu", "/sys/devices/system/node")  # numerical libraries count processors
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
LINKS = {"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"}

ROOM_OPTIONS = "size=8m,nr_inodes=8192,mode=755"
OF_TEMPLATE = "size=16m,nr_inodes=1024,mode=1777"  # its scratch: some libraries write when they are imported
INODES_PER_MB = 64
SHM_MB = 64

NSSWITCH = "passwd: files\ngroup: files\nhosts: files\n"
HOSTS = "127.0.0.1 localhost\n::1 localhost\n"


def build(base: str, *, read_only: Sequence[str], own_proc: bool, devices: Sequence[str] = ()) -> None:
    """Make a room on the empty folder `base` and enter it; nothing else of the machine is left in sight.

    In a mount namespace of the caller's own, before its user namespace. Its /scratch is the template's; each process
    covers it with one of its own, for good. `read_only`: folders or files shown under
    their own names (interpreter, environment, SDK) and, where a name leads through links, under their real one too.
    `own_proc`: a /proc that shows only processes of the viewer's uid (needs root). `devices`: further device files.
    """
    before = os.umask(0o022)
    try:
        with wall("files"):
            calls.mount(None, "/", None, calls.REC | calls.PRIVATE)
            calls.mount("room", base, "tmpfs", calls.NOSUID | calls.NODEV, ROOM_OPTIONS)
            for name in (*OWN, "etc", "dev/shm", "proc", "run", "sys", "usr", "var", proc.BESIDE):
                os.makedirs(f"{base}/{name}")
            _show_system(base)
            for path in sorted({*read_only, *map(os.path.realpath, read_only)}, key=len):
                _show(base, path)
            _write_etc(base)
            _make_devices(base, devices)
            calls.mount("scratch", f"{base}/scratch", "tmpfs", calls.NOSUID | calls.NODEV | calls.NOEXEC, OF_TEMPLATE)
            for target in ("tmp", "var/tmp"):
                if not os.path.lexists(f"{base}/{target}"):
                    os.symlink("/scratch", f"{base}/{target}")
            proc.show(f"{base}/proc", is_own=own_proc)
            calls.pivot_root(base)
            calls.mount(None, "/", None, calls.REMOUNT | calls.BIND | calls.RDONLY | calls.NOSUID | calls.NODEV)
    finally:
        os.umask(before)


def furnish(*, app: int, model: Optional[int], scratch: Optional[int], disk_mb: int, uid: int = 0) -> None:
    """Put into a room what belongs to one process: in mount and pid namespaces of its own, as pid 1 there, before it
    takes its uid.

    `app` and `model` are detached mounts (`calls.open_tree`), attached read-only; so is `scratch`, to be written, or
    else memory of `disk_mb` that belongs to `uid`. /proc then shows the processes of this pid namespace only.
    """
    with wall("files"):
        _attach(app, "/app", calls.RDONLY | calls.NOSUID | calls.NODEV)
        if model is not None:
            _attach(model, "/model", calls.RDONLY | calls.NOSUID | calls.NODEV)
        if scratch is None:
            _memory("/scratch", disk_mb, uid)
        else:
            _attach(scratch, "/scratch", calls.NOSUID | calls.NODEV)
        _memory("/dev/shm", SHM_MB, uid)
        proc.renew()


def readable_of_machine() -> List[str]:
    """The same files on the machine itself, for `landlock` where there is no room. Nothing of /etc but these."""
    etc = [*COPIED, "passwd", "group", "nsswitch.conf", "hosts"]
    folders = [path for pattern in SHOWN for path in _folders(f"/etc/{pattern}")]
    system = ["/usr", *(f"/{name}" for name in SYSTEM), *SYSTEM_FACTS, "/proc", "/dev/fd"]
    return [*system, *(f"/etc/{name}" for name in etc), *folders]


def _attach(fd: int, target: str, flags: int) -> None:
    calls.restrict(fd, flags)
    calls.move_mount(fd, target)


def _memory(target: str, size_mb: int, uid: int) -> None:
    options = f"size={size_mb}m,nr_inodes={max(1024, size_mb * INODES_PER_MB)},mode=700,uid={uid},gid={uid}"
    calls.mount("memory", target, "tmpfs", calls.NOSUID | calls.NODEV, options)


def _show_system(base: str) -> None:
    _show(base, "/usr")
    for name in SYSTEM:
        if os.path.islink(f"/{name}"):
            os.symlink(os.readlink(f"/{name}"), f"{base}/{name}")
        elif os.path.isdir(f"/{name}"):
            _show(base, f"/{name}")
    for path in SYSTEM_FACTS:
        if os.path.isdir(path):
            _show(base, path)


def _show(base: str, path: str) -> None:
    """What is at path on the machine, read-only, at the same place in the room."""
    path = os.path.normpath(path)
    if path.lstrip("/").split("/")[0] in OWN:
        raise OSError(
            None, f"{path} lies where applications have their own files; put OVD_HOME and Python elsewhere", path
        )
    target = base + path
    if os.path.exists(target) and _is_shown(base, target):
        return
    if os.path.isdir(path):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        _write(target, b"")
    tree = calls.open_tree(path)
    try:
        calls.make_read_only(tree)
        calls.move_mount(tree, target)
    finally:
        os.close(tree)


def _is_shown(base: str, target: str) -> bool:
    """Whether something of the machine is mounted there already, so that what lies below is in sight."""
    return os.stat(target).st_dev != os.stat(base).st_dev


def _write_etc(base: str) -> None:
    etc = f"{base}/etc"
    people = ["root:x:0:0:root:/scratch:/bin/sh"]
    people += [f"app{number}:x:{number}:{number}::/scratch:/bin/sh" for number in range(1, 1024)]
    people += ["nobody:x:65534:65534:nobody:/:/bin/false"]
    _write(f"{etc}/passwd", "\n".join([*people, ""]).encode())
    _write(f"{etc}/group", "".join(f"{p.split(':')[0]}:x:{p.split(':')[2]}:\n" for p in people).encode())
    _write(f"{etc}/nsswitch.conf", NSSWITCH.encode())
    _write(f"{etc}/hosts", HOSTS.encode())
    for name in COPIED:
        if os.path.isfile(f"/etc/{name}"):
            os.makedirs(os.path.dirname(f"{etc}/{name}"), exist_ok=True)
            shutil.copyfile(f"/etc/{name}", f"{etc}/{name}")
    for pattern in SHOWN:
        for path in _folders(f"/etc/{pattern}"):
            _show(base, path)


def _folders(pattern: str) -> List[str]:
    return [path for path in (glob.glob(pattern) if "*" in pattern else [pattern]) if os.path.isdir(path)]


def _make_devices(base: str, further: Sequence[str]) -> None:
    for path in (*DEVICES, *further):
        target = base + path
        os.makedirs(os.path.dirname(target), exist_ok=True)
        _write(target, b"")
        tree = calls.open_tree(path)
        try:
            calls.restrict(tree, calls.NOSUID | calls.NOEXEC)
            calls.move_mount(tree, target)
        finally:
            os.close(tree)
    for name, where in LINKS.items():
        os.symlink(where, f"{base}/dev/{name}")


def _write(path: str, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        os.write(descriptor, content)
    finally:
        os.close(descriptor)
