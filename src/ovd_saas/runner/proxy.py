"""Proxy: the only way from a process into the network: HTTP CONNECT and plain HTTP to the hosts of a list, and nowhere
else. It listens in the network namespace of the process and connects from the runner's, so it believes nothing that it
is told: names are resolved here, and what they lead to is looked at (`destinations`)."""

import asyncio
import re
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from urllib.parse import urlsplit

from ovd import reach
from ovd.reach import Host
from ovd_saas.runner import destinations

MOST = 64  # connections of one process
MOST_OF_ALL = 1024  # connections of all processes
HEADER_SECONDS = 10.0
CLOSE_SECONDS = 5.0  # to take what was said last
CONNECT_SECONDS = 10.0  # for each address
IDLE_SECONDS = 300.0  # without a byte in either direction
LARGEST_HEADER = 32 << 10  # bytes
PIECE = 64 << 10  # bytes that are read at once
TOLD = 100  # refusals that become lines of the log; then only every hundredth does

_REQUEST = re.compile(r"([A-Z]{1,20}) (\S{1,8000}) HTTP/1\.[01]")
# What belongs to the way between two neighbours, RFC 9110, 7.6.1; and Host, which the address tells, RFC 9112, 3.2.2.
_OURS = ("connection", "keep-alive", "proxy-connection", "proxy-authorization", "te", "upgrade", "host")

Tell = Callable[[str], None]
Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter


class Refused(Exception):
    """It is answered with a status and a sentence."""

    def __init__(self, status: str, message: str, *, is_told: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.is_told = is_told  # in the log of the process


class Proxy:
    """What serves one process until it is closed."""

    _open_of_all = 0

    def __init__(self, listener: socket.socket, hosts: Sequence[str], tell: Tell) -> None:
        self._allowed = frozenset(reach.parse(host) for host in hosts)
        self._tell = tell
        self._refusals = 0
        self._connections: set[asyncio.Task[None]] = set()
        self._is_closed = False
        self._listener = listener
        self._server: asyncio.Server | None = None
        self._beginning = asyncio.get_running_loop().create_task(self._serve())

    def close(self) -> None:
        """Afterwards nothing listens, and what was open is cut."""
        self._is_closed = True
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.cancel()

    async def _serve(self) -> None:
        self._server = await asyncio.start_server(self._welcome, sock=self._listener, limit=LARGEST_HEADER)
        if self._is_closed:
            self._server.close()

    def _welcome(self, reader: Reader, writer: Writer) -> None:
        """One connection from the process."""
        if self._is_closed or len(self._connections) >= 2 * MOST:
            writer.transport.abort()
            return
        Proxy._open_of_all += 1
        connection = asyncio.get_running_loop().create_task(self._see_through(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._forget)

    def _forget(self, connection: asyncio.Task[None]) -> None:
        Proxy._open_of_all -= 1
        self._connections.discard(connection)

    async def _see_through(self, reader: Reader, writer: Writer) -> None:
        try:
            with suppress(OSError, TimeoutError):
                await self._answer(reader, writer)
                await _hang_up(reader, writer)
        finally:
            writer.transport.abort()

    async def _answer(self, reader: Reader, writer: Writer) -> None:
        try:
            self._admit()
            await self._relay(reader, writer)
        except Refused as refused:
            if refused.is_told:
                self._note(refused.message)
            body = f"{refused.message}\n".encode()
            head = f"HTTP/1.1 {refused.status}\r\nContent-Type: text/plain; charset=utf-8\r\n"
            writer.write(f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)

    def _admit(self) -> None:
        if len(self._connections) > MOST or Proxy._open_of_all > MOST_OF_ALL:
            message = f"Network: more than {MOST} connections at once; close some first."
            raise Refused("503 Service Unavailable", message, is_told=True)

    def _note(self, message: str) -> None:
        """A line of the log, unless there were very many: a loop must not push everything else out of it."""
        self._refusals += 1
        if self._refusals <= TOLD or self._refusals % TOLD == 0:
            self._tell(message if self._refusals < TOLD else f"{message} ({self._refusals} refusals so far.)")

    async def _relay(self, reader: Reader, writer: Writer) -> None:
        request, headers = _parsed(await _head(reader))
        method, target = request
        if method == "CONNECT":
            there, back = await self._connect(_host(target))
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await _join((reader, writer), (there, back), None, is_tunnel=True)
            return
        host, path, authority = _split(target)
        length = _length(headers)
        there, back = await self._connect(host)
        kept = [f"{name}: {value}" for name, value in headers if name.lower() not in _OURS]
        lines = [f"{method} {path} HTTP/1.1", f"Host: {authority}", *kept, "Connection: close"]
        back.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
        await _join((reader, writer), (there, back), length, is_tunnel=False)

    async def _connect(self, host: Host) -> tuple[Reader, Writer]:
        if host not in self._allowed:
            raise Refused(
                "403 Forbidden",
                f"Network: {host} is refused. Only what [network] hosts asks for and an operator allows is reached: "
                f"{', '.join(sorted(map(str, self._allowed)))}.",
                is_told=True,
            )
        try:
            addresses = await destinations.resolve(host, self._allowed)
        except destinations.NoWay as no_way:
            raise Refused("403 Forbidden", f"Network: {host} is refused: {no_way}", is_told=True) from None
        why = ""
        for address in addresses:
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    return await asyncio.open_connection(address, host.port, limit=PIECE)
            except TimeoutError:
                why = f"{address} does not answer within {CONNECT_SECONDS:g} s"
            except OSError as error:
                why = str(error)
        raise Refused("502 Bad Gateway", f"Network: {host} cannot be reached: {why}.", is_told=True)


def serve(listener: socket.socket, hosts: Sequence[str], tell: Tell) -> Proxy:
    """Serve a listening TCP socket in the running loop, until it is closed. `hosts` are `host:port`; `tell` takes the
    lines of the log: each refusal, with its reason."""
    return Proxy(listener, hosts, tell)


async def _head(reader: Reader) -> bytes:
    """The request with its headers."""
    try:
        async with asyncio.timeout(HEADER_SECONDS):
            return await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        message = f"The headers have more than {LARGEST_HEADER >> 10} KiB."
        raise Refused("431 Request Header Fields Too Large", message) from None
    except TimeoutError:
        raise Refused("408 Request Timeout", f"No request came within {HEADER_SECONDS:g} s.") from None
    except asyncio.IncompleteReadError:
        raise ConnectionError("The process hung up.") from None


def _parsed(head: bytes) -> tuple[tuple[str, str], list[tuple[str, str]]]:
    """Method and target, and the headers. Lines that a server could read in another way than we do are refused."""
    first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    request = _REQUEST.fullmatch(first)
    headers = [line.partition(":") for line in lines]
    is_clean = all(sep and re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) for name, sep, _ in headers)
    if request is None or not is_clean or any(mark in part for part in (first, *lines) for mark in "\r\n\0"):
        raise Refused("400 Bad Request", "This is no HTTP request that a proxy understands.")
    return (request[1], request[2]), [(name, value.strip()) for name, _, value in headers]


def _host(authority: str) -> Host:
    if not re.fullmatch(reach.PATTERN, authority) or not re.search(r":\d+$", authority):
        raise Refused("400 Bad Request", "CONNECT needs host:port.")
    return reach.parse(authority)


def _split(target: str) -> tuple[Host, str, str]:
    """Host, path and authority of an absolute address."""
    try:
        parts = urlsplit(target)
        authority = parts.netloc
    except ValueError:
        authority = ""
    if not authority or parts.scheme.lower() != "http" or not re.fullmatch(reach.PATTERN, authority):
        raise Refused("400 Bad Request", "A proxy is asked for http://host/… or, for anything else, with CONNECT.")
    has_port = re.search(r":\d+$", authority) is not None and not authority.endswith("]")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return reach.parse(authority if has_port else f"{authority}:80"), path, authority


def _length(headers: list[tuple[str, str]]) -> int | None:
    """Bytes of the body, None when only its end tells. What follows it is not for that host, and goes nowhere."""
    given = {name.lower(): value for name, value in headers}
    lengths = {value for name, value in headers if name.lower() == "content-length"}
    if "transfer-encoding" in given:
        if lengths:
            raise Refused("400 Bad Request", "Content-Length beside Transfer-Encoding.")
        return None
    if not lengths:
        return 0
    if len(lengths) > 1 or not re.fullmatch(r"\d{1,18}", next(iter(lengths))):
        raise Refused("400 Bad Request", "The Content-Length is none.")
    return int(next(iter(lengths)))


async def _join(
    inside: tuple[Reader, Writer], outside: tuple[Reader, Writer], length: int | None, *, is_tunnel: bool
) -> None:
    """Carry bytes both ways until the host (in a tunnel: both) has said everything, or nobody says any more. `length`
    bounds what the process may say."""
    loop = asyncio.get_running_loop()
    for _, writer in (inside, outside):
        writer.transport.set_write_buffer_limits(high=0)  # what is drained is with the kernel, and cannot be lost
    try:
        async with asyncio.timeout(IDLE_SECONDS) as patience:

            def go_on() -> None:
                patience.reschedule(loop.time() + IDLE_SECONDS)

            there = asyncio.create_task(_carry(inside[0], outside[1], go_on, length))
            try:
                await _carry(outside[0], inside[1], go_on, None)
                if is_tunnel:
                    await there
                    await _hang_up(*outside)
            finally:
                there.cancel()
                await asyncio.gather(there, return_exceptions=True)
    finally:
        outside[1].transport.abort()


async def _hang_up(reader: Reader, writer: Writer) -> None:
    """Say that this was all, and let the peer take it before the connection is cut: for what it still says, the kernel
    would take it back. Raises OSError, TimeoutError."""
    async with asyncio.timeout(CLOSE_SECONDS):
        if writer.can_write_eof():
            writer.write_eof()
        while await reader.read(PIECE):
            pass


async def _carry(reader: Reader, writer: Writer, go_on: Callable[[], None], length: int | None) -> None:
    left = length
    while left is None or left > 0:
        data = await reader.read(PIECE if left is None else min(PIECE, left))
        if not data:
            break
        go_on()
        left = None if left is None else left - len(data)
        writer.write(data)
        await writer.drain()
    if length is None and writer.can_write_eof():
        writer.write_eof()
