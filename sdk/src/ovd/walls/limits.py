"""Limits: what the kernel counts for each process by itself (rlimits), root or not."""

import resource

MB = 1 << 20
HEADROOM_MB = 1024  # writable address space that may be reserved beyond the memory that may be used
OPEN_FILES = 4096
NO_CORE = 1  # byte: less than the kernel writes; unlike 0, it also keeps dumps from a program that collects them
PREFERRED_VICTIM = "500"  # when the machine runs out of memory, applications go before the platform


def bind(*, memory_mb: int, disk_mb: int, tasks: int) -> None:
    """Bounds of this process, and of each of its children anew: reserved memory, longest file, open files, and tasks of
    its uid in its user namespace. No core dumps, no message queues, no priority above the one it was given."""
    _at_most(resource.RLIMIT_CORE, NO_CORE)
    _at_most(resource.RLIMIT_DATA, (memory_mb + HEADROOM_MB) * MB)
    _at_most(resource.RLIMIT_FSIZE, disk_mb * MB)
    _at_most(resource.RLIMIT_NOFILE, OPEN_FILES)
    _at_most(resource.RLIMIT_NPROC, tasks)
    for none in (resource.RLIMIT_MSGQUEUE, resource.RLIMIT_NICE, resource.RLIMIT_RTPRIO):
        _at_most(none, 0)


def go_first() -> None:
    """Be chosen before others when the machine has no memory left. A preference, not a wall: not every /proc has it."""
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write(PREFERRED_VICTIM)
    except OSError:
        return


def _at_most(kind: int, value: int) -> None:
    hard = resource.getrlimit(kind)[1]
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    try:
        resource.setrlimit(kind, (value, value))
    except (OSError, ValueError) as error:
        raise OSError(getattr(error, "errno", None), f"limit {kind} to {value}: {error}") from error
