"""Hierarchies: the trees of control groups in which this runner may make groups of its own, found by trying. Version 1
has one for each controller or few, version 2 one for all. docs/explanation/runner.md says what each is used for."""

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

MEMORY, TASKS, CPU, TIME = "memory", "pids", "cpu", "cpuacct"  # controllers by their kernel names
WANTED = {1: frozenset({MEMORY, TASKS, CPU, TIME}), 2: frozenset({MEMORY, TASKS, CPU})}
LEAF = "ovd-platform"  # where version 2 keeps the processes that were in our own group, which must then hold none
DELEGATED = ("user.delegate", "trusted.delegate")  # systemd's marks on a group whose processes are the service's matter


@dataclass(frozen=True)
class Hierarchy:
    """One tree, and the folder in it where our groups are."""

    version: int
    folder: Path
    controllers: frozenset[str]

    def __str__(self) -> str:
        return f"version {self.version}, {'+'.join(sorted(self.controllers))}, {self.folder}"


class Unusable(Exception):
    """We can make no groups there; the text says why."""


def mounted(proc: Path = Path("/proc/self")) -> list[Hierarchy]:
    """The trees of this machine that have a controller we want, with this process's own group in each."""
    own = _own_paths((proc / "cgroup").read_text())
    found = []
    for line in (proc / "mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        root, mount = before.split()[3:5]
        kind, _, options = after.split()[:3]
        if kind == "cgroup2":
            folder = _within(mount, root, own.get("", "/"))
            with suppress(OSError):
                controllers = WANTED[2] & set((folder / "cgroup.controllers").read_text().split())
                found.append(Hierarchy(2, folder, controllers))
        elif kind == "cgroup":
            controllers = WANTED[1] & set(options.split(","))
            path = next((own[name] for name in controllers if name in own), "/")
            found.append(Hierarchy(1, _within(mount, root, path), controllers))
    return [hierarchy for hierarchy in found if hierarchy.controllers]


def usable(candidates: Iterable[Hierarchy], name: str) -> tuple[list[Hierarchy], dict[str, str]]:
    """Those in which a process could be put into a group called `name`, which is gone again; and for each controller
    that we have nowhere, why."""
    found: list[Hierarchy] = []
    missing = dict.fromkeys(WANTED[2], "The kernel offers no control group for it here.")
    for candidate in candidates:
        try:
            hierarchy = _prepared(candidate)
            _try(hierarchy.folder / name)
        except (Unusable, OSError) as error:
            missing |= {controller: _said(error) for controller in candidate.controllers & missing.keys()}
        else:
            found.append(hierarchy)
    for hierarchy in found:
        for controller in hierarchy.controllers:
            missing.pop(controller, None)
    return found, missing


def _own_paths(text: str) -> dict[str, str]:
    """Controller (empty for version 2) to path."""
    paths = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        paths.update(dict.fromkeys(controllers.split(","), path))
    return paths


def _within(mount: str, root: str, path: str) -> Path:
    """Where the group `path` is seen, when the group `root` is mounted at `mount`."""
    if root != "/" and (path == root or path.startswith(root + "/")):
        path = path[len(root) :]
    return Path(mount) / path.lstrip("/")


def _prepared(candidate: Hierarchy) -> Hierarchy:
    """Version 2 grants controllers to the groups below one that holds no processes itself. Raises Unusable, OSError."""
    if candidate.version == 1:
        return candidate
    folder = candidate.folder.parent if candidate.folder.name == LEAF else candidate.folder
    granted = folder / "cgroup.subtree_control"
    asked = " ".join(f"+{controller}" for controller in sorted(candidate.controllers))
    try:
        granted.write_text(asked)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        _clear(folder)
        granted.write_text(asked)
    return replace(candidate, folder=folder)


def _clear(folder: Path) -> None:
    """Move the processes of our own group into a group below it, if they are ours to move."""
    if not _is_delegated(folder):
        raise Unusable(
            f"The control group {folder} holds processes, and nobody has left it to us. "
            "Start the platform as a systemd service with Delegate=yes."
        )
    leaf = folder / LEAF
    leaf.mkdir(exist_ok=True)
    for pid in pids(folder):
        with suppress(ProcessLookupError):
            (leaf / "cgroup.procs").write_text(str(pid))


def _is_delegated(folder: Path) -> bool:
    """A service's own group, or a container's."""
    marks = set()
    with suppress(OSError):
        marks = {name for name in os.listxattr(folder) if name in DELEGATED}
    return bool(marks) or folder.is_mount()


def _try(folder: Path) -> None:
    """Make a group, have a child enter it, remove it. Raises OSError."""
    folder.mkdir(exist_ok=True)
    try:
        child = os.fork()
        if child == 0:
            number = 0
            try:
                (folder / "cgroup.procs").write_text("0")
            except OSError as error:
                number = error.errno or errno.EIO
            finally:
                os._exit(number)
        number = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if number:
            raise OSError(number, os.strerror(number), str(folder / "cgroup.procs"))
    finally:
        remove(folder)


def remove(folder: Path) -> bool:
    """Remove a group; False while processes are in it."""
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def pids(folder: Path) -> list[int]:
    """The processes in a group."""
    try:
        return [int(line) for line in (folder / "cgroup.procs").read_text().split()]
    except OSError:  # gone, or being removed
        return []


def named(folders: Iterable[Path], prefix: str) -> Iterator[Path]:
    """The groups in these folders whose name begins like this."""
    for folder in folders:
        yield from folder.glob(f"{prefix}*")


def _said(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"No control group can be made: {error.strerror} ({error.filename})."
    return str(error)
