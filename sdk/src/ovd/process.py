"""Process of an application: forked by a template (`ovd.template`) for the runner, it serves executions, or one task,
until it is stopped.

The runner gives two open descriptors: a listening unix socket for executions and a socket for control. Everything on
both is frames (`ovd.protocol`). When the runner goes away, or stops renewing the lease, this process ends at once.
"""

import argparse
import gc
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Protocol

from ovd import loading
from ovd.execution import Execution
from ovd.loading import ImportFailed, Loaded
from ovd.problems import ProblemsFound
from ovd.protocol import Decoder, ProtocolError, send
from ovd.server import Server
from ovd.tracebacks import author_traceback, message_of

STAGE_IMPORT, STAGE_SETUP = "import", "setup"
_WARMING = Path(__file__).parent / "warming"  # an application of our own that does nothing


class Serving(Protocol):
    """What a process does from when it is ready until it is stopped."""

    def serve(self) -> None:
        """Return when stopped and done."""

    def stop(self) -> None:
        """May be called from any thread."""


class Control:
    """The line to the runner, read by a thread of its own from the first moment, so that a long import can
    be ended."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._server: Optional[Serving] = None
        self._is_stopping = False
        self._lock = threading.Lock()

    def start(self) -> None:
        threading.Thread(target=self._listen, name="control", daemon=True).start()

    def serve(self, server: Serving) -> None:
        """From now on `stop` means this server."""
        with self._lock:
            self._server = server
            is_stopping = self._is_stopping
        if is_stopping:
            server.stop()

    def tell(self, **header: Any) -> None:
        """Tell the runner; if it is gone, so are we."""
        try:
            send(self._sock, header)
        except OSError:
            os._exit(1)

    def _listen(self) -> None:
        decoder = Decoder()
        while True:
            try:
                data = self._sock.recv(65536)
                frames = decoder.feed(data)
            except (OSError, ProtocolError):
                data = b""
            if not data:
                os._exit(1)
            for header, _ in frames:
                self._obey(header)

    def _obey(self, header: Dict[str, Any]) -> None:
        if header["type"] == "lease":
            signal.setitimer(signal.ITIMER_REAL, max(0.001, float(header["seconds"])))
        elif header["type"] == "stop":
            with self._lock:
                self._is_stopping = True
                server = self._server
            if server is not None:
                server.stop()
        else:
            print(f"The runner sent a frame of unknown type {header['type']!r}.", file=sys.stderr, flush=True)


class Options(NamedTuple):
    """What a process is told when it begins."""

    folder: str  # the application's
    listen_fd: int  # an open, listening unix socket
    control_fd: int  # an open socket to the runner
    scratch: str = ""  # folder for files of executions; empty: a temporary one
    model: Optional[str] = None  # folder of the live model version
    concurrency: int = 0  # executions at once; 0: as the manifest says
    task: bool = False  # do one task, learning or evaluating, instead of executing


def main(arguments: Optional[List[str]] = None) -> int:
    """`serve`, with options from the command line."""
    return serve(Options(**vars(_options(arguments))))


def serve(options: Options) -> int:
    """Load, set up, serve. Returns the exit code: 0 after a stop, 1 when the application cannot be loaded."""
    _end_with_lease()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C at a terminal is for the platform, which then stops us
    control = Control(socket.socket(fileno=options.control_fd))
    listener = socket.socket(fileno=options.listen_fd)
    os.set_inheritable(options.control_fd, False)
    os.set_inheritable(options.listen_fd, False)
    control.start()
    scratch = Path(options.scratch or tempfile.mkdtemp(prefix="ovd-")).resolve()
    scratch.mkdir(parents=True, exist_ok=True)
    os.chdir(scratch)
    seconds: Dict[str, float] = {}
    folder = Path(options.folder).resolve()
    loaded = _load(folder, control, seconds)
    model = Path(options.model).resolve() if options.model else None
    if loaded is None or not _set_up(loaded, model, control, seconds):
        flush()
        return 1
    gc.collect()
    gc.freeze()  # what the imports made stays; collecting it again and again only makes answers late
    server = _server(loaded, listener, options, model, scratch)
    control.tell(type="ready", seconds=seconds)
    control.serve(server)
    server.serve()
    flush()
    _end_soon()
    return 0


def _end_with_lease() -> None:
    """An expired lease ends us, whatever the author does: the kernel by its default action; which does not end the
    first process of a namespace, so there the C library does."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    if os.getpid() == 1:
        from ovd.walls import calls

        calls.exit_on_alarm()


def warm() -> None:
    """Load an application of our own that does nothing: what loading imports and prepares, the children of a template
    then find there."""
    from ovd import command, task_server  # noqa: F401

    loading.load(_WARMING)
    loading.forget()


def rehearse() -> None:
    """Load the same once more, and execute it: what every process writes to first, and so gets as its own, page by
    page, this one then has before somebody waits for it. Call it where nothing is forked any more."""
    loaded = loading.load(_WARMING)
    loading.set_up(loaded, None)
    Execution(
        loaded,
        id="rehearsal",
        inputs={"words": "again"},
        seed=0,
        timeout=None,
        files={},
        folder=_WARMING / "execution",
        model=None,
        send=lambda header, body: None,
    ).run()
    loading.forget()
    thread = threading.Thread(target=gc.isenabled)
    thread.start()
    thread.join()


def _server(loaded: Loaded, listener: socket.socket, options: Options, model: Optional[Path], scratch: Path) -> Serving:
    if options.task:
        from ovd.task_server import TaskServer  # what only learning needs would make every wake slower

        return TaskServer(loaded, listener, model=model, scratch=scratch)
    concurrency = options.concurrency or loaded.manifest.execute.concurrency
    return Server(loaded, listener, model=model, concurrency=concurrency, scratch=scratch)


def _options(arguments: Optional[List[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m ovd.process", description="Serve one application.")
    parser.add_argument("--folder", required=True, help="the application's folder")
    parser.add_argument("--listen-fd", required=True, type=int, help="an open, listening unix socket")
    parser.add_argument("--control-fd", required=True, type=int, help="an open socket to the runner")
    parser.add_argument("--model", help="folder of the live model version")
    parser.add_argument("--concurrency", default=0, type=int, help="executions at once (default: as the manifest says)")
    parser.add_argument("--scratch", default="", help="folder for files of executions")
    parser.add_argument("--task", action="store_true", help="do one task, learning or evaluating, instead of executing")
    return parser.parse_args(arguments)


def _load(folder: Path, control: Control, seconds: Dict[str, float]) -> Optional[Loaded]:
    started = time.perf_counter()
    try:
        loaded = loading.load(folder)
    except ProblemsFound as error:
        traceback = error.traceback if isinstance(error, ImportFailed) else ""
        _tell_failure(control, STAGE_IMPORT, str(error), traceback)
        return None
    seconds[STAGE_IMPORT] = round(time.perf_counter() - started, 6)
    return loaded


def _set_up(loaded: Loaded, model: Optional[Path], control: Control, seconds: Dict[str, float]) -> bool:
    started = time.perf_counter()
    try:
        loading.set_up(loaded, model)
    except BaseException as error:  # whatever the author's setup raises
        _tell_failure(control, STAGE_SETUP, message_of(error), author_traceback(error, loaded.folder))
        return False
    seconds[STAGE_SETUP] = round(time.perf_counter() - started, 6)
    return True


def _tell_failure(control: Control, stage: str, message: str, traceback: str) -> None:
    print(f"The application cannot be loaded ({stage}): {message}\n{traceback}", file=sys.stderr, flush=True)
    control.tell(type="failed", stage=stage, message=message, traceback=traceback)


def flush() -> None:
    """Write out what was printed; when nobody reads any more, that is lost."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            continue


def _end_soon() -> None:
    """Threads the author left behind may not keep a stopped process alive."""
    timer = threading.Timer(5.0, os._exit, args=(0,))
    timer.daemon = True
    timer.start()


if __name__ == "__main__":
    sys.exit(main())
