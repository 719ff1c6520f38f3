"""Task server: has the one task of this process done by the main thread, while another talks with the client, which may
go and come back."""

import collections
import os
import select
import socket
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import IO, Any, Deque, Dict, Mapping, Optional, Tuple

from ovd import failures, streams
from ovd.connection import Upload
from ovd.loading import Loaded
from ovd.protocol import CHUNK, Decoder, Header, ProtocolError, pack
from ovd.story import Story
from ovd.task import Order, Task

READ = 1 << 18  # bytes
HIGH = 1 << 20  # bytes that wait for a client before more is prepared for it
GATHER = 0.002  # s in which events gather, so that telling many costs the author's code little
FAREWELL = 2.0  # s in which the client may read the end after a stop


class Client:
    """A connection. The newest one that has said something is the client; the others are closed."""

    def __init__(self, sock: socket.socket, number: int) -> None:
        self.sock = sock
        self.number = number
        self.decoder = Decoder()
        self.uploads: Dict[Any, Upload] = {}
        self.follows_from: Optional[int] = None  # it got, or will get, all events after this one
        self.told = 0  # number of the event it got last
        self.fetches: Deque[Tuple[str, Optional[IO[bytes]]]] = collections.deque()
        self.waiting = bytearray()

    def follow(self, after: int) -> None:
        if self.follows_from is None or after < self.follows_from or after > self.told:
            self.follows_from = self.told = after

    def close(self) -> None:
        self.sock.close()
        for upload in self.uploads.values():
            upload.discard()
        for _, opened in self.fetches:
            if opened is not None:
                opened.close()


class TaskServer:
    """Serves one task on a listening socket until `stop` is called."""

    def __init__(self, loaded: Loaded, listener: socket.socket, *, model: Optional[Path], scratch: Path) -> None:
        self._loaded = loaded
        self._listener = listener
        self._model = model
        self._folder = scratch
        self._story = Story(self._wake_for_the_client)
        self._changed = threading.Condition()  # guards the task and whether we are stopping
        self._task: Optional[Task] = None
        self._is_stopping = False
        self._is_over = False
        self._epoll = select.epoll()
        self._clients: Dict[int, Client] = {}
        self._client: Optional[Client] = None
        self._count = 0
        self._woken, self._waker = socket.socketpair()
        self._is_woken = False

    def serve(self) -> None:
        """Do the task when it comes, and return when stopped."""
        for sock in (self._listener, self._woken, self._waker):
            sock.setblocking(False)
        self._epoll.register(self._listener, select.EPOLLIN)
        self._epoll.register(self._woken, select.EPOLLIN)
        streams.tag(lambda: self._task)
        talking = threading.Thread(target=self._talk, name="talk", daemon=True)
        talking.start()
        with self._changed:
            self._changed.wait_for(lambda: self._is_stopping or self._task is not None)
        if self._task is not None:
            self._task.run()
            with self._changed:
                self._changed.wait_for(lambda: self._is_stopping)
        self._is_over = True
        self._wake()
        talking.join(FAREWELL + 1)

    def stop(self) -> None:
        """Cancel the task if it is not done, and let `serve` return; may be called from any thread."""
        with self._changed:
            self._is_stopping = True
            task = self._task
            self._changed.notify_all()
        if task is not None and not self._story.is_over:
            task.cancel()

    def _wake_for_the_client(self) -> None:
        if self._client is not None:
            self._wake()

    def _wake(self) -> None:
        if self._is_woken:
            return
        self._is_woken = True
        try:
            self._waker.send(b"!")
        except OSError:
            return  # it is awake, or gone

    # talking

    def _talk(self) -> None:
        try:
            while not self._is_over:
                self._turn(-1)
            deadline = time.monotonic() + FAREWELL
            while self._client is not None and not self._is_told(self._client) and time.monotonic() < deadline:
                self._turn(0.05)
        except BaseException:
            traceback.print_exc(file=sys.__stderr__)
            os._exit(1)  # a task that nobody can talk to is lost

    def _is_told(self, client: Client) -> bool:
        return not client.waiting and (client.follows_from is None or client.told >= self._story.last)

    def _turn(self, timeout: float) -> None:
        for fd, event in self._epoll.poll(timeout):
            if fd == self._listener.fileno():
                self._accept()
            elif fd == self._woken.fileno():
                time.sleep(GATHER)
                self._woken.recv(4096)
                self._is_woken = False  # not before: who finds it True must find us still to look
            elif fd in self._clients and event & ~select.EPOLLOUT:
                self._hear(self._clients[fd])
        if self._client is not None:
            self._pump(self._client)

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError as error:  # it is gone already, or we are out of file descriptors
            print(f"A client could not connect: {error}", file=sys.__stderr__, flush=True)
            time.sleep(0.01)
            return
        sock.setblocking(False)
        self._count += 1
        self._clients[sock.fileno()] = Client(sock, self._count)
        self._epoll.register(sock, select.EPOLLIN)

    def _drop(self, client: Client) -> None:
        fd = client.sock.fileno()
        if self._clients.pop(fd, None) is None:
            return  # it is closed already
        self._epoll.unregister(fd)
        client.close()
        if self._client is client:
            self._client = None

    def _hear(self, client: Client) -> None:
        try:
            heard = client.sock.recv(READ)
            if not heard:
                self._drop(client)
                return
            for header, body in client.decoder.feed(heard):
                if not self._is_the_client(client):
                    return
                self._obey(client, header, body)
        except BlockingIOError:
            return
        except ProtocolError as error:
            print(f"A client was disconnected: {error}", file=sys.__stderr__, flush=True)
            self._drop(client)
        except OSError as error:
            print(f"A client was lost: {error}", file=sys.__stderr__, flush=True)
            self._drop(client)

    def _is_the_client(self, client: Client) -> bool:
        """The newest is; one that hangs and comes back later than another is turned away."""
        before = self._client
        if before is not client:
            if before is not None and before.number > client.number:
                self._drop(client)
                return False
            if before is not None:
                self._drop(before)
            self._client = client
        return True

    def _obey(self, client: Client, header: Header, body: bytes) -> None:
        kind, id = header["type"], header.get("id")
        if not isinstance(id, (str, int)) or isinstance(id, bool):
            raise ProtocolError("A frame needs a text or a whole number under `id`.")
        if self._task is not None and id != self._story.id:
            raise ProtocolError(f"This process does the task {self._story.id!r}, and no other.")
        if kind == "file":
            self._take(client, id, header, body)
        elif kind in ("learn", "evaluate"):
            self._begin(client, kind, id, header)
        elif kind == "follow":
            client.follow(_whole(header, "after"))
        elif kind == "fetch":
            self._fetch(client, header.get("file"))
        elif kind not in ("yield", "cancel"):
            raise ProtocolError(f"A frame of the unknown type {kind[:40]!r}.")
        elif self._task is not None and kind == "yield":
            self._task.ask_to_yield()
        elif self._task is not None:
            self._task.cancel()

    def _take(self, client: Client, id: Any, header: Header, body: bytes) -> None:
        if self._task is not None or self._story.is_over:
            return  # it has its files; these are from somebody who did not hear that it began
        if id not in client.uploads:
            client.uploads[id] = Upload(self._folder / f"arrived-{client.number}-{len(client.uploads)}")
        try:
            client.uploads[id].add(header.get("file"), header.get("last"), body, sys.maxsize)
        except OSError as error:
            client.uploads.pop(id).discard()
            message = f"The data cannot be stored: {error.strerror or error}. Is disk_mb too small?"
            self._story.id = id
            self._story.tell("failed", {**failures.told("exception", message), "seconds": 0})

    def _begin(self, client: Client, kind: str, id: Any, header: Header) -> None:
        if self._task is not None:
            return  # asked again by somebody who did not hear that it began
        if client.follows_from is None:
            client.follow(0)
        if self._story.is_over:
            return  # its files could not be stored
        upload = client.uploads.get(id)
        if upload is None or not upload.is_whole:
            raise ProtocolError("A task whose files have not all arrived.")
        order = _order(kind, header, upload.files)
        del client.uploads[id]
        with self._changed:
            if self._is_stopping:
                return
            self._story.id = id
            self._task = Task(self._loaded, order, model=self._model, folder=self._folder, story=self._story)
            self._changed.notify_all()

    def _fetch(self, client: Client, key: Any) -> None:
        if not isinstance(key, str):
            raise ProtocolError("A fetch needs the key of a file under `file`.")
        client.fetches.append((key, self._task.open(key) if self._task is not None else None))

    # sending

    def _pump(self, client: Client) -> None:
        """Send what there is, as far as the client takes it."""
        try:
            while True:
                while len(client.waiting) < HIGH and self._prepare(client):
                    pass
                if not client.waiting:
                    self._epoll.modify(client.sock, select.EPOLLIN)
                    return
                sent = client.sock.send(client.waiting)
                del client.waiting[:sent]
        except BlockingIOError:
            self._epoll.modify(client.sock, select.EPOLLIN | select.EPOLLOUT)
        except OSError:
            self._drop(client)

    def _prepare(self, client: Client) -> bool:
        """Put the next events, or the next piece of a file, among what waits; False when there is nothing."""
        if client.follows_from is not None:
            frames, client.told = self._story.after(client.told, HIGH)
            if frames:
                client.waiting += frames
                return True
        if not client.fetches:
            return False
        key, opened = client.fetches[0]
        header: Header = {"type": "file", "id": self._story.id, "file": key}
        if opened is None:
            client.waiting += pack({**header, "last": True, "gone": True})
            client.fetches.popleft()
            return True
        piece = opened.read(CHUNK)
        is_last = len(piece) < CHUNK
        client.waiting += pack({**header, "last": is_last}, piece)
        if is_last:
            opened.close()
            client.fetches.popleft()
        return True


def _order(kind: str, header: Header, files: Mapping[str, Path]) -> Order:
    seed, timeout, checkpoint = header.get("seed", 0), header.get("timeout"), header.get("checkpoint")
    named = {} if header.get("files") is None else header["files"]
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise ProtocolError("The seed of a task is a whole number.")
    if timeout is not None and (isinstance(timeout, bool) or not isinstance(timeout, (int, float))):
        raise ProtocolError("The timeout of a task is a number of seconds, or null.")
    if not isinstance(named, dict):
        raise ProtocolError("The files of a task are an object: digest to key.")
    return Order(
        kind=kind,
        samples=_arrived(files, header.get("train" if kind == "learn" else "holdout")),
        files={digest: _arrived(files, key) for digest, key in named.items()},
        checkpoint=_arrived(files, checkpoint) if checkpoint is not None and kind == "learn" else None,
        seed=seed,
        timeout=timeout,
    )


def _arrived(files: Mapping[str, Path], key: Any) -> Path:
    if not isinstance(key, str) or key not in files:
        raise ProtocolError(f"The task names the file {key!r}, which did not arrive.")
    return files[key]


def _whole(header: Header, name: str) -> int:
    number = header.get(name)
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        raise ProtocolError(f"A frame of type {header['type']} needs a whole number from 0 up under `{name}`.")
    return number
