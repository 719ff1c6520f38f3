"""Server of a process: reads its clients' frames and has executions run, `concurrency` at once, first come
first served.

With a concurrency of 1, the thread that reads also executes, which saves two hand-offs between threads per
execution; while an execution lasts for long, a second thread, the stand-in, reads instead. With more, one thread reads
and worker threads execute.
"""

import collections
import functools
import select
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable, Deque, Dict, List, Optional

from ovd import streams
from ovd.connection import MAX_UPLOADS, Connection, Upload
from ovd.execution import Execution
from ovd.fields import FILE_KINDS
from ovd.loading import Loaded
from ovd.protocol import Header, ProtocolError
from ovd.standin import StandIn

MAX_QUEUE = 10_000
READ = 1 << 18  # bytes
SPELL = 0.005  # s of executing what has arrived, without a look at what else has


class Job:
    """An execution somebody asked for, and who."""

    __slots__ = ("connection", "execution", "id")

    def __init__(self, connection: Connection, id: Any, execution: Execution) -> None:
        self.connection = connection
        self.id = id
        self.execution = execution


class Server:
    """Serves one application on a listening socket until `stop` was called and all that runs has ended."""

    def __init__(
        self, loaded: Loaded, listener: socket.socket, *, model: Optional[Path], concurrency: int, scratch: Path
    ) -> None:
        self._loaded = loaded
        self._listener = listener
        self._model = model
        self._concurrency = concurrency
        self._scratch = scratch
        self._limit = sum(field.max_bytes for field in loaded.inputs if field.kind in FILE_KINDS)
        self._epoll = select.epoll()
        self._connections: Dict[int, Connection] = {}
        self._reading = threading.RLock()  # whoever holds it reads the sockets
        self._queue: Deque[Job] = collections.deque()
        self._changed = threading.Condition()  # guards the queue and the running jobs
        self._running: List[Job] = []
        self._is_stopping = False
        self._count = 0
        self._woken, self._waker = socket.socketpair()
        self._listener_fd, self._woken_fd = listener.fileno(), self._woken.fileno()
        self._in_place = StandIn(self._stand_in, self._wake)

    def serve(self) -> None:
        """Return when stopped and done."""
        self._listener.setblocking(False)
        self._woken.setblocking(False)
        self._waker.setblocking(False)
        self._epoll.register(self._listener, select.EPOLLIN)
        self._epoll.register(self._woken, select.EPOLLIN)
        streams.tag(self._only_one)
        if self._concurrency == 1:
            self._in_place.start()
            self._serve_here()
        else:
            for number in range(self._concurrency):
                threading.Thread(target=self._work, name=f"worker-{number}", daemon=True).start()
            while not self._is_done():
                self._turn(-1)
        self._finish()

    def _serve_here(self) -> None:
        read_at = 0.0
        while not self._is_done():
            if not self._queue or time.monotonic() - read_at > SPELL:
                with self._reading:  # until it lets us read, the stand-in may queue what then nobody would wake us for
                    self._turn(0 if self._queue else -1)
                read_at = time.monotonic()
            if self._queue:
                self._run_next_here()

    def stop(self) -> None:
        """Refuse what has not begun, let the rest end; may be called from any thread."""
        with self._changed:
            self._is_stopping = True
            queued = list(self._queue)
            self._queue.clear()
        for job in queued:
            self._refuse(job.connection, job.id, "stopping")
            self._forget(job)
        self._wake()

    # reading

    def _turn(self, timeout: float) -> None:
        """Wait for something to read or write, and deal with it."""
        with self._reading:
            for fd, event in self._epoll.poll(timeout):
                if fd == self._listener_fd:
                    self._accept()
                elif fd == self._woken_fd:
                    self._woken.recv(4096)
                elif fd in self._connections:
                    self._serve_client(self._connections[fd], event)

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except (BlockingIOError, ConnectionError):
            return
        except OSError as error:  # out of file descriptors: let the others end first
            print(f"A client could not connect: {error}", file=sys.__stderr__, flush=True)
            time.sleep(0.01)
            return
        sock.setblocking(False)
        self._connections[sock.fileno()] = Connection(sock, self._wants_write)
        self._epoll.register(sock, select.EPOLLIN)

    def _wants_write(self, connection: Connection, is_wanted: bool) -> None:
        try:
            self._epoll.modify(connection.sock, select.EPOLLIN | (select.EPOLLOUT if is_wanted else 0))
        except FileNotFoundError:
            return  # it is being closed

    def _serve_client(self, connection: Connection, event: int) -> None:
        if event & select.EPOLLOUT:
            connection.flush()
        if not event & ~select.EPOLLOUT:
            return
        try:
            data = connection.sock.recv(READ)
            if not data:
                self._drop(connection)
                return
            for header, body in connection.decoder.feed(data):
                self._obey(connection, header, body)
        except BlockingIOError:
            return
        except ProtocolError as error:
            print(f"A client was disconnected: {error}", file=sys.__stderr__, flush=True)
            self._drop(connection)
        except OSError:
            self._drop(connection)

    def _drop(self, connection: Connection) -> None:
        """Close; what runs goes on for nobody, what waits is forgotten."""
        fd = connection.sock.fileno()
        self._epoll.unregister(fd)
        del self._connections[fd]
        connection.close()
        with self._changed:
            mine = [job for job in self._queue if job.connection is connection]
            for job in mine:
                self._queue.remove(job)
        for job in mine:
            job.execution.clean()

    def _obey(self, connection: Connection, header: Header, body: bytes) -> None:
        kind, id = header["type"], header.get("id")
        if not isinstance(id, (str, int)) or isinstance(id, bool):
            raise ProtocolError("A frame needs a text or a whole number under `id`.")
        if kind == "execute":
            self._begin(connection, id, header)
        elif kind == "file":
            if id not in connection.uploads:
                if len(connection.uploads) >= MAX_UPLOADS:
                    raise ProtocolError(f"Files of more than {MAX_UPLOADS} executions are arriving at once.")
                connection.uploads[id] = Upload(self._new_folder())
            connection.uploads[id].add(header.get("file"), header.get("last"), body, self._limit)
        elif kind == "cancel":
            self._cancel(connection, id)
        elif kind == "withdraw":
            self._withdraw(connection, id)
        elif kind == "hello":
            connection.send({"type": "ready", "id": id}, may_wait=False)
        else:
            raise ProtocolError(f"A frame of the unknown type {kind[:40]!r}.")

    def _begin(self, connection: Connection, id: Any, header: Header) -> None:
        inputs, seed, timeout = header.get("inputs"), header.get("seed", 0), header.get("timeout")
        if id in connection.executions:
            raise ProtocolError("Two executions with the same id.")
        if not isinstance(inputs, dict) or not isinstance(seed, int):
            raise ProtocolError("An execution needs an object under `inputs` and a whole number under `seed`.")
        if timeout is not None and (isinstance(timeout, bool) or not isinstance(timeout, (int, float))):
            raise ProtocolError("The timeout of an execution is a number of seconds, or null.")
        upload = connection.uploads.pop(id, None)
        if upload is not None and not upload.is_whole:
            upload.discard()
            raise ProtocolError("An execution whose files have not all arrived.")
        reason = "stopping" if self._is_stopping else "full" if len(self._queue) >= MAX_QUEUE else ""
        if reason:
            if upload is not None:
                upload.discard()
            self._refuse(connection, id, reason)
            return
        execution = Execution(
            self._loaded,
            id=id,
            inputs=inputs,
            seed=seed,
            timeout=timeout,
            files=upload.files if upload is not None else {},
            folder=upload.folder if upload is not None else self._new_folder(),
            model=self._model,
            send=connection.send,
            before_the_end=functools.partial(connection.executions.pop, id, None),
        )
        job = connection.executions[id] = Job(connection, id, execution)
        with self._changed:
            self._queue.append(job)
            if self._concurrency > 1:
                self._changed.notify()

    def _new_folder(self) -> Path:
        self._count += 1
        return self._scratch / f"execution-{self._count}"

    def _refuse(self, connection: Connection, id: Any, reason: str) -> None:
        connection.send({"type": "refused", "id": id, "reason": reason}, may_wait=False)

    def _cancel(self, connection: Connection, id: Any) -> None:
        upload = connection.uploads.pop(id, None)
        if upload is not None:
            upload.discard()
        job = connection.executions.get(id)
        if job is None:
            return  # it has ended, and its final frame is on its way
        if not self._unqueue(job):
            job.execution.cancel()
            return
        final = {"type": "failed", "id": id, "code": "cancelled", "message": "It was cancelled before it began."}
        connection.send({**final, "traceback": "", "seconds": 0}, may_wait=False)

    def _withdraw(self, connection: Connection, id: Any) -> None:
        """Give it back, unless it has begun."""
        job = connection.executions.get(id)
        if job is not None and self._unqueue(job):
            self._refuse(connection, id, "withdrawn")

    def _unqueue(self, job: Job) -> bool:
        """Whether it had not begun, and now never will."""
        with self._changed:
            if job not in self._queue:
                return False
            self._queue.remove(job)
        job.execution.clean()
        self._forget(job)
        return True

    # executing

    def _only_one(self) -> Optional[Execution]:
        running = self._running
        return running[0].execution if len(running) == 1 else None

    def _run_next_here(self) -> None:
        with self._changed:
            if not self._queue:  # the stand-in cancelled it, or it was refused
                return
            job = self._queue.popleft()
            self._running.append(job)
        self._in_place.begin()
        # Of a short execution only its end is told; the stand-in says "started" when it takes longer.
        job.connection.hold({"type": "started", "id": job.id})
        self._run(job)
        self._in_place.end()

    def _stand_in(self, is_needed: Callable[[], bool]) -> None:
        """Read the sockets in place of the executing thread."""
        with self._reading:
            for job in list(self._running):
                job.connection.flush()
            while is_needed():
                self._turn(-1)

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._queue:
                    self._changed.wait()
                job = self._queue.popleft()
                self._running.append(job)
            job.connection.send({"type": "started", "id": job.id})
            self._run(job)
            if self._is_stopping:
                self._wake()

    def _run(self, job: Job) -> None:
        token = streams.current.set(job.execution)
        try:
            job.execution.run()
        finally:
            streams.current.reset(token)
            job.execution.clean()
            self._forget(job)

    def _forget(self, job: Job) -> None:
        with self._changed:
            job.connection.executions.pop(job.id, None)
            if job in self._running:
                self._running.remove(job)

    # ending

    def _wake(self) -> None:
        try:
            self._waker.send(b"!")
        except BlockingIOError:
            return  # it is awake already

    def _is_done(self) -> bool:
        return self._is_stopping and not self._running and not self._queue

    def _finish(self) -> None:
        """Refuse what has arrived meanwhile, and let every client have its frames."""
        self._turn(0)
        self._turn(0)
        for connection in list(self._connections.values()):
            connection.flush(patience=5.0)
