"""Glutton: takes all it can get, in the way it is asked to. Every endless loop ends by itself after half a minute."""

import ctypes
import mmap
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from ovd import App, Context, text

MB = 1 << 20
SECONDS = 30.0


def _until() -> Callable[[], bool]:
    end = time.monotonic() + SECONDS
    return lambda: time.monotonic() < end


def memory(context: Context) -> str:
    goes_on, held = _until(), []
    while goes_on():
        held.append(b"x" * (4 * MB))
    return "it held on"


def memory_of_children(context: Context) -> str:
    goes_on = _until()
    for _ in range(8):
        if os.fork() == 0:
            held = [os.urandom(MB) for _ in range(60)]
            while goes_on():
                time.sleep(0.1)
            os._exit(len(held) and 0)
    while goes_on():
        time.sleep(0.05)
    return "they held on"


def memory_of_files(context: Context) -> str:
    """In /dev/shm and in files of memory without a name, which no look at resident pages of ours shows."""
    taken, errors = 0, []
    for place in range(64):
        try:
            number = os.memfd_create(f"m{place}")
            taken += sum(os.write(number, b"x" * MB) for _ in range(16))
        except OSError as error:
            errors.append(f"memfd: {error}")
            break
    try:
        with Path("/dev/shm/pile").open("wb") as pile:
            for _ in range(1024):
                taken += pile.write(b"x" * MB)
    except OSError as error:
        errors.append(f"shm: {error}")
    try:
        shared = mmap.mmap(-1, 1024 * MB)
        for place in range(0, 1024 * MB, 4096):
            shared[place] = 1
        taken += 1024 * MB
    except (OSError, ValueError) as error:
        errors.append(f"shared: {error}")
    return f"{taken // MB} MB; {errors}"


def forks(context: Context) -> str:
    goes_on, failed = _until(), 0
    while goes_on() and failed < 50:
        try:
            if os.fork() == 0:
                while goes_on():
                    try:
                        os.fork()
                    except OSError:
                        time.sleep(0.01)
        except OSError:
            failed += 1
            time.sleep(0.02)
    return f"{failed} forks failed"


def threads(context: Context) -> str:
    goes_on, made = _until(), 0
    threading.stack_size(64 << 10)
    try:
        while goes_on() and made < 20_000:
            threading.Thread(target=time.sleep, args=(SECONDS,), daemon=True).start()
            made += 1
    except (RuntimeError, MemoryError) as error:
        return f"stopped at {made} threads: {error}"
    return f"made {made} threads"


def one_file(context: Context) -> str:
    written = 0
    with (context.scratch / "pile").open("wb", buffering=0) as pile:
        try:
            while written < 1024 * MB:
                written += pile.write(b"x" * MB)
        except OSError as error:
            return f"stopped at {written // MB} MB: {error}"
    return f"wrote {written // MB} MB"


def many_files(context: Context) -> str:
    written = 0
    try:
        for number in range(512):
            written += (context.scratch / f"pile{number}").write_bytes(b"x" * (2 * MB))
        time.sleep(SECONDS)  # whoever watches, not the kernel, may be the one who stops it
    except OSError as error:
        return f"stopped at {written // MB} MB: {error}"
    return f"wrote {written // MB} MB"


def inodes(context: Context) -> str:
    made = 0
    try:
        while made < 1_000_000:
            (context.scratch / f"f{made}").touch()
            made += 1
    except OSError as error:
        return f"stopped at {made} files: {error}"
    return f"made {made} files"


def temporary(context: Context) -> str:
    """Beside the scratch folder."""
    said = []
    for folder in ("/tmp", "/var/tmp", "/dev/shm", "/run", "/", tempfile.gettempdir(), os.path.expanduser("~")):
        written = 0
        try:
            with Path(folder, "pile").open("wb", buffering=0) as pile:
                while written < 512 * MB:
                    written += pile.write(b"x" * MB)
            said.append(f"{folder} took {written // MB} MB")
        except OSError:
            continue
    return "; ".join(said)


def log(context: Context) -> str:
    goes_on, line = _until(), "flood " * 200
    end = time.monotonic() + 2
    while goes_on() and time.monotonic() < end:
        print(line)
        os.write(2, line.encode())
    return "said it all"


def progress(context: Context) -> str:
    end, step = time.monotonic() + 2, 0
    while time.monotonic() < end:
        step += 1
        context.progress((step % 100) / 100, "x" * 1000)
    return "told it all"


def output(context: Context) -> str:
    return "x" * (17 * MB)


def descriptors(context: Context) -> str:
    held = []
    try:
        while len(held) < 1_000_000:
            held.append(os.open("/dev/null", os.O_RDONLY))
    except OSError as error:
        for number in held:
            os.close(number)
        return f"stopped at {len(held)}: {error}"
    return "all"


def spin(context: Context) -> str:
    goes_on = _until()
    while goes_on():
        pass
    return "spun"


def interpreter_lock(context: Context) -> str:
    """Hold Python's lock in C: nothing of the SDK runs in this process meanwhile."""
    ctypes.PyDLL(None).sleep(int(SECONDS))
    return "held"


def deaf(context: Context) -> str:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM, signal.SIGQUIT, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN) if threading.current_thread() is threading.main_thread() else None
    signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))
    return spin(context)


class Glutton(App):
    def execute(self, context: Context, act: str = text()) -> str:
        return str(globals()[act](context))
