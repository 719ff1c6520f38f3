"""Control groups: one for each process of ours and its children, where the kernel lets us. Bounds memory and tasks,
weighs processor time, knows what was used and which bound was met."""

import hashlib
import json
import logging
import os
import signal
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from ovd_saas.runner import footprints, hierarchies
from ovd_saas.runner.hierarchies import CPU, MEMORY, TASKS, TIME, Hierarchy
from ovd_saas.runner.sandbox import MB, Limits

log = logging.getLogger(__name__)

SPARES = 64  # empty groups kept for the next processes; making one costs ten times as much as taking one
RESIDUE = 16 * MB  # an empty group still holds the files it read first; one with more than this is not used again
SWEEPS = 20  # over the descendants of a process that enters: each round finds what those before forked meanwhile
LONGEST = 8192  # bytes that we read of a file
ROUNDS = 3  # of killing what is in a group; what takes longer to die is looked at again later
LAST_SECONDS = 1.0  # for what is killed when a runner begins or ends
PATIENCE = 5.0  # seconds for a process to enter its group, when its end must wait for that


class Group:
    """What bounds one process with its children. Bounds of controllers that are not to be had are left to the watch:
    ask `bounds`."""

    def __init__(self, name: str, found: list[Hierarchy], porter: ThreadPoolExecutor) -> None:
        self.name = name
        self.process = ""
        self.pid = 0
        self.limits = Limits()
        self.background = False
        self._scratch_mb = 0
        self._hierarchies = found
        self._porter = porter
        self._entering: Future[None] | None = None
        self._has_failed = False  # the process could not enter
        self._can_idle: bool | None = None
        self._open: dict[str, int] = {}  # files that are read again and again, by name
        self._set: dict[str, str] = {}  # what was written where, so that it need not be written again
        self._kills, self._refusals, self._cpu = b"", b"", 0.0  # counted before the present process came
        self._folders = [hierarchy.folder / name for hierarchy in found]
        self._lists = [f"{folder}/cgroup.procs" for folder in self._folders]
        self._homes = {one: (own.version, f"{own.folder}/{name}/") for own in found for one in own.controllers}
        self._controllers = self._homes.keys()
        self.holds = False  # whether it bounds both memory and tasks: then nothing else need be looked at
        for folder in self._folders:
            folder.mkdir(exist_ok=True)

    # --- the life of a group

    def dedicate(self, process: str, limits: Limits, *, background: bool, scratch_mb: int) -> None:
        """From now on it bounds this process. Raises OSError."""
        self.process, self.limits, self.background, self._scratch_mb = process, limits, background, scratch_mb
        self.pid, self._entering = 0, None
        self._has_failed = False
        self.holds = self._controllers >= {MEMORY, TASKS}
        self._bound_memory((limits.memory_mb + scratch_mb) * MB)
        self._bound_tasks(limits.tasks)
        self._weigh(limits.cpus, background)
        self._kills, self._refusals, self._cpu = self._killed(), self._refused(), self._seconds()

    def join(self, pid: int) -> None:
        """Have a child of the runner enter. Returns at once: the kernel takes some 10 ms to move a process, in which
        it works on. What it forks meanwhile follows it."""
        self.pid = pid
        self._entering = self._porter.submit(self._enter, pid)

    def settle(self) -> None:
        """Returns when nobody is entering any more: until then the number of a process must not be freed, or
        another's could be taken for it."""
        if self._entering is not None:
            self._entering.exception(PATIENCE)

    def bounds(self, controller: str) -> bool:
        """Whether the process is bound by this controller (`memory`, `pids`) or on its way there."""
        return not self._has_failed and controller in self._controllers

    def kill(self) -> bool:
        """End all that is in it; True when it is empty. Nobody in it can fork meanwhile, where tasks are bounded."""
        for attempt in range(ROUNDS):
            inside = {int(pid) for each in self._lists for pid in _content(each).split()}
            if not inside:
                return True
            if attempt == 0:
                self._forbid_forks()
            for pid in inside:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        return False

    def _forbid_forks(self) -> None:
        for folder in self._folders:
            with suppress(OSError):  # of version 2, since Linux 5.14
                (folder / "cgroup.kill").write_text("1")
        with suppress(OSError):
            self._write(TASKS, "pids.max", "0")

    def remove(self) -> bool:
        """Remove it; False while processes are in it."""
        while self._open:
            os.close(self._open.popitem()[1])
        left = [folder for folder in self._folders if not hierarchies.remove(folder)]
        return not left

    def is_clean(self) -> bool:
        """Whether the next process can have it."""
        return self._read(MEMORY, "memory.usage_in_bytes", "memory.current") <= RESIDUE

    # --- what was used

    def usage(self) -> tuple[int, float]:
        """Bytes that its processes hold, without files that the kernel can drop, and seconds of processor time."""
        return self.memory(), self._seconds() - self._cpu

    def memory(self) -> int:
        """Bytes that its processes hold: their own pages, files in memory, and what the kernel holds for them."""
        if MEMORY not in self._homes:
            return 0
        table = _table(self._look(MEMORY, "memory.stat", "memory.stat"))
        if self._homes[MEMORY][0] == 1:
            kernel = _number(self._look(MEMORY, "memory.kmem.usage_in_bytes", ""))
            return table.get("rss", 0) + table.get("shmem", 0) + kernel
        return table.get("anon", 0) + table.get("shmem", 0) + table.get("kernel", 0)

    def breach(self) -> str | None:
        """The bound that was met: `memory`, also when the kernel killed only a child, or `tasks`."""
        killed = self._killed()
        if (killed != self._kills and _kills(killed) > _kills(self._kills)) or self._is_over():
            return "memory"
        tasks = self._read(TASKS, "pids.current", "pids.current")
        if tasks >= self.limits.tasks or self._refused() != self._refusals:
            return "tasks"
        return None

    def _is_over(self) -> bool:
        """The kernel's bound leaves room for the scratch folder in memory; without it, the process has less."""
        if not self._scratch_mb:
            return False
        limit = self.limits.memory_mb * MB
        if MEMORY not in self._homes or self._read(MEMORY, "memory.usage_in_bytes", "memory.current") <= limit:
            return False
        table = _table(self._look(MEMORY, "memory.stat", "memory.stat"))
        return table.get("rss" if self._homes[MEMORY][0] == 1 else "anon", 0) > limit

    def _killed(self) -> bytes:
        """The line of how many processes the kernel killed for memory, `oom_kill 3`, and others."""
        return self._look(MEMORY, "memory.oom_control", "memory.events")

    def _refused(self) -> bytes:
        """The line of how many forks failed because there were too many tasks."""
        return self._look(TASKS, "pids.events", "pids.events")

    def _seconds(self) -> float:
        if TIME in self._homes:
            return _number(self._look(TIME, "cpuacct.usage", "")) / 1e9
        return _table(self._look(CPU, "", "cpu.stat")).get("usage_usec", 0) / 1e6

    # --- bounds

    def _bound_memory(self, limit: int) -> None:
        version, folder = self._homes.get(MEMORY, (0, ""))
        if version == 1 and self._set.get("memory.limit_in_bytes") != str(limit):
            has_swap = Path(folder, "memory.memsw.limit_in_bytes").exists()
            if has_swap:
                self._write(MEMORY, "memory.memsw.limit_in_bytes", "-1")  # it may never be the smaller one
            self._write(MEMORY, "memory.limit_in_bytes", str(limit))
            if has_swap:
                self._write(MEMORY, "memory.memsw.limit_in_bytes", str(limit))
        elif version == 2:
            self._write(MEMORY, "memory.max", str(limit))
            self._write(MEMORY, "memory.oom.group", "1")
            with suppress(OSError):  # a kernel without swap has no such file
                self._write(MEMORY, "memory.swap.max", "0")

    def _bound_tasks(self, limit: int) -> None:
        self._write(TASKS, "pids.max", str(limit))

    def _weigh(self, cpus: float, background: bool) -> None:
        """Processor time in proportion to what was asked for; who works in the background has what others leave."""
        version, folder = self._homes.get(CPU, (0, ""))
        if not version:
            return
        name, unit, least, most = ("cpu.shares", 1024, 2, 262_144) if version == 1 else ("cpu.weight", 100, 1, 10_000)
        if self._can_idle is None:  # since Linux 5.15: anybody else goes first, at once
            self._can_idle = Path(folder, "cpu.idle").exists()
        if self._can_idle and background:
            self._write(CPU, "cpu.idle", "1")
            self._set.pop(name, None)
            return
        if self._can_idle:
            self._write(CPU, "cpu.idle", "0")
        self._write(CPU, name, str(least if background else min(max(round(unit * cpus), least), most)))

    def take_turn(self, *, is_turn: bool) -> None:
        """Who works in the background, and was left next to nothing, has a share like others' for a while."""
        self._weigh(self.limits.cpus if is_turn else 0.0, background=not is_turn)

    # --- files

    def _write(self, controller: str, name: str, value: str) -> None:
        """Write, unless it is written there already. Nothing happens where there is no such controller."""
        home = self._homes.get(controller)
        if home is not None and self._set.get(name) != value:
            Path(home[1] + name).write_text(value)
            self._set[name] = value

    def _read(self, controller: str, first: str, second: str) -> int:
        """The number in a file, as version 1 or version 2 names it; 0 where there is none."""
        return _number(self._look(controller, first, second))

    def _look(self, controller: str, first: str, second: str) -> bytes:
        """What is in a file, as version 1 or version 2 names it. It stays open: opening costs ten times as much."""
        version, folder = self._homes.get(controller, (0, ""))
        name = {1: first, 2: second}.get(version, "")
        if not name:
            return b""
        try:
            if name not in self._open:
                self._open[name] = os.open(folder + name, os.O_RDONLY | os.O_CLOEXEC)
            return os.pread(self._open[name], LONGEST, 0)
        except OSError:  # this kernel has no such file, or somebody removed the group
            return b""

    def _enter(self, pid: int) -> None:
        """In a thread of its own. Raises OSError when the kernel refuses; a process that has ended is no reason."""
        try:
            moved = self._move({pid})
            for _ in range(SWEEPS):
                fresh = footprints.descendants(pid) - moved
                if not fresh:
                    return
                moved |= self._move(fresh)
            log.warning("%s forks faster than it can be put into its control group.", self.process)
        except OSError as error:
            log.error("Process %s is not in its control group, and watched instead: %s.", self.process, error)
            self._has_failed, self.holds = True, False
            raise

    def _move(self, moving: set[int]) -> set[int]:
        for folder in self._folders:
            descriptor = os.open(folder / "cgroup.procs", os.O_WRONLY | os.O_CLOEXEC)
            try:
                for pid in moving:
                    with suppress(ProcessLookupError):
                        os.write(descriptor, str(pid).encode())
            finally:
                os.close(descriptor)
        return moving


class Groups:
    """The control groups of this runner. What an earlier runner of the same folders left is ended and removed."""

    def __init__(self, home: Path, *, are_wanted: bool = True) -> None:
        self._record = home / "groups.json"
        self._prefix = f"ovd-{hashlib.sha256(os.fsencode(home)).hexdigest()[:8]}-"
        self._number = 0
        self._spare: list[Group] = []
        self._dying: list[Group] = []
        self._porter = ThreadPoolExecutor(1, thread_name_prefix="groups")
        candidates = hierarchies.mounted()
        self._sweep({hierarchy.folder for hierarchy in candidates})
        if are_wanted:
            self.hierarchies, self.missing = hierarchies.usable(candidates, f"{self._prefix}try")
        else:
            self.hierarchies, self.missing = [], dict.fromkeys((MEMORY, TASKS, CPU), "OVD_CGROUPS is off.")
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._record.write_text(json.dumps([str(hierarchy.folder) for hierarchy in self.hierarchies]))

    def standing(self) -> dict[str, str]:
        """The walls that control groups are: empty, or why they do not stand."""
        names = {"memory": MEMORY, "tasks": TASKS, "cpu": CPU}
        return {name: self.missing.get(controller, "") for name, controller in names.items()}

    def make(self, process: str, limits: Limits, background: bool = False, *, scratch_mb: int = 0) -> Group | None:
        """A group for a process that is about to be born; None where there are none at all. `scratch_mb` is what its
        scratch folder in memory may hold, beside its own memory; `background` that everybody else goes first."""
        if not self.hierarchies:
            return None
        while self._spare:
            group = self._spare.pop()
            try:
                group.dedicate(process, limits, background=background, scratch_mb=scratch_mb)
            except OSError:  # what it still holds is more than it may
                self._discard(group)
            else:
                return group
        self._number += 1
        try:
            group = Group(f"{self._prefix}{self._number}", self.hierarchies, self._porter)
            group.dedicate(process, limits, background=background, scratch_mb=scratch_mb)
        except OSError as error:  # somebody took away what worked at the start
            log.error("No control group for process %s, which is watched instead: %s.", process, error)
            return None
        return group

    def warm(self) -> None:
        """Start the thread that moves processes, before the first of them waits for it."""
        self._porter.submit(int)

    def release(self, group: Group, *, is_template: bool = False) -> None:
        """Its process has ended: end what is left in it, and keep it for another, or remove it. What a template has
        forked is born in its group, and may be on its way to one of its own: that is not left over."""
        group.settle()
        if is_template:
            self._porter.submit(int).exception(PATIENCE)  # it moves one after another
        if group.kill() and len(self._spare) < SPARES and group.is_clean():
            self._spare.append(group)
        else:
            self._discard(group)

    def tidy(self) -> None:
        """Look again after groups in which something was still dying."""
        dying, self._dying = self._dying, []
        for group in dying:
            group.kill()
            self._discard(group)

    def close(self) -> None:
        """Remove what can be removed; the next runner removes the rest."""
        self._porter.shutdown()
        self._spare, self._dying = [], [*self._spare, *self._dying]
        end = time.monotonic() + LAST_SECONDS
        self.tidy()
        while self._dying and time.monotonic() < end:
            time.sleep(0.01)
            self.tidy()

    def _discard(self, group: Group) -> None:
        if not group.remove():
            self._dying.append(group)

    def _sweep(self, folders: set[Path]) -> None:
        with suppress(FileNotFoundError, ValueError):
            folders = folders | {Path(folder) for folder in json.loads(self._record.read_text())}
        end = time.monotonic() + LAST_SECONDS
        while left := [folder for folder in hierarchies.named(folders, self._prefix) if not hierarchies.remove(folder)]:
            for pid in {pid for folder in left for pid in hierarchies.pids(folder)}:
                log.warning("A process of an earlier runner was still in its control group: killed process %d.", pid)
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if time.monotonic() > end:
                log.warning("Control groups of an earlier runner could not be removed: %s.", ", ".join(map(str, left)))
                return
            time.sleep(0.01)


def _content(path: str) -> bytes:
    """What is in a file; nothing when it is gone."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return b"".join(iter(lambda: os.read(descriptor, LONGEST), b""))
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def _number(text: bytes) -> int:
    """A number alone; 0 for anything else, such as `max`."""
    text = text.strip()
    return int(text) if text.isdigit() else 0


def _table(text: bytes) -> dict[str, int]:
    """Lines of a name and a number each."""
    words = text.split()
    return {name.decode(): int(value) for name, value in zip(words[::2], words[1::2], strict=False) if value.isdigit()}


def _kills(text: bytes) -> int:
    return _table(text).get("oom_kill", 0)
