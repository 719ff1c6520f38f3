"""The way of a process into the network: what is on the list is reached, everything else is refused and told."""

import asyncio
import http.client
import ipaddress
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ovd.reach import parse
from ovd_saas.runner import destinations, proxy


class Page(BaseHTTPRequestHandler):
    """Says what it was asked."""

    def do_GET(self) -> None:
        self._say(f"{self.command} {self.path} {sorted(name.lower() for name in self.headers)} {self.headers['host']}")

    def do_POST(self) -> None:
        self._say(f"{len(self.rfile.read(int(self.headers['content-length'])))} bytes")

    def _say(self, text: str) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[int]:
    """The port of a web server on this machine."""
    web = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=web.serve_forever)
    thread.start()
    yield int(web.server_address[1])
    web.shutdown()
    thread.join()
    web.server_close()


@asynccontextmanager
async def serving(*hosts: str) -> AsyncIterator[tuple[int, list[str], proxy.Proxy]]:
    """A proxy for these hosts: its port, and the lines it told."""
    listener = socket.create_server(("127.0.0.1", 0))
    told: list[str] = []
    served = proxy.serve(listener, hosts, told.append)
    try:
        yield listener.getsockname()[1], told, served
    finally:
        served.close()


async def said(port: int, text: str, *, until_end: bool = True) -> str:
    """What the proxy answers to this text."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(text.encode())
    async with asyncio.timeout(20):
        answer = await (reader.read() if until_end else reader.readuntil(b"\r\n\r\n"))
    writer.close()
    return answer.decode()


def by_hand(call: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(call())  # type: ignore[arg-type]


async def blocking(
    port: int, host: str, to: int, *, tunnel: bool, method: str = "GET", body: bytes | None = None
) -> str:
    """A request by Python's own client, through the proxy."""

    def ask() -> str:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        if tunnel:
            connection.set_tunnel(host, to)
        connection.request(method, "/x?y=1" if tunnel else f"http://{host}:{to}/x?y=1", body=body)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return f"{answer.status} {text}"

    return await asyncio.to_thread(ask)


@pytest.mark.parametrize("tunnel", [True, False])
def test_a_host_of_the_list_is_reached_both_ways(server: int, tunnel: bool) -> None:
    async def run() -> None:
        async with serving(f"127.0.0.1:{server}") as (port, told, _):
            answer = await blocking(port, "127.0.0.1", server, tunnel=tunnel)
            assert answer.startswith("200 GET /x?y=1 ")
            assert f" 127.0.0.1:{server}" in answer
            body = b"a" * 300_000
            assert (
                await blocking(port, "127.0.0.1", server, tunnel=tunnel, method="POST", body=body) == "200 300000 bytes"
            )
            assert told == []

    by_hand(run)


@pytest.mark.parametrize("tunnel", [True, False])
def test_another_port_or_host_is_refused_and_told(server: int, tunnel: bool) -> None:
    async def run() -> None:
        async with serving("127.0.0.1:9", "example.org:443") as (port, told, _):
            for host in ("127.0.0.1", "localhost", "example.org"):
                if tunnel:
                    answer = await said(port, f"CONNECT {host}:{server} HTTP/1.1\r\n\r\n")
                else:
                    answer = await said(port, f"GET http://{host}:{server}/ HTTP/1.1\r\n\r\n")
                assert answer.startswith("HTTP/1.1 403 ")
                assert f"{host}:{server} is refused" in answer
            assert len(told) == 3
            assert "example.org:443" in told[0]

    by_hand(run)


def test_a_name_that_leads_to_this_machine_is_refused_though_it_is_on_the_list(server: int) -> None:
    async def run() -> None:
        async with serving(f"localhost:{server}") as (port, told, _):
            answer = await said(port, f"CONNECT localhost:{server} HTTP/1.1\r\n\r\n")
            assert answer.startswith("HTTP/1.1 403 ")
            assert "this machine" in told[0]
        async with serving(f"localhost:{server}", f"127.0.0.1:{server}") as (port, told, _):
            assert "200" in await blocking(port, "localhost", server, tunnel=True)

    by_hand(run)


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("127.0.0.1", "this machine"),
        ("::1", "this machine"),
        ("0.0.0.0", "unspecified"),
        ("10.1.2.3", "private"),
        ("172.16.0.1", "private"),
        ("192.168.1.1", "private"),
        ("100.100.100.200", "reserved"),
        ("169.254.169.254", "link-local"),
        ("168.63.129.16", "secrets"),
        ("224.0.0.1", "multicast"),
        ("240.0.0.1", "private"),
        ("fe80::1", "link-local"),
        ("fd00:ec2::254", "private"),
        ("fec0::1", "private"),
        ("64:ff9b:1::a00:1", "private"),
        ("::127.0.0.1", "reserved"),
        ("ff02::1", "multicast"),
        ("::ffff:8.8.8.8", "clothes of IPv6"),
        ("::ffff:127.0.0.1", "clothes of IPv6"),
        ("64:ff9b::a00:1", "private: 10.0.0.1"),
        ("2002:7f00:1::", "127.0.0.1"),
    ],
)
def test_addresses_that_lead_inside_are_known(address: str, kind: str) -> None:
    assert kind in str(destinations.why_not(ipaddress.ip_address(address)))


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.215.14", "2606:4700:4700::1111", "64:ff9b::808:808"])
def test_addresses_of_the_open_network_are_reached(address: str) -> None:
    assert destinations.why_not(ipaddress.ip_address(address)) is None


def test_a_private_address_is_reached_only_where_the_list_names_that_very_address() -> None:
    async def run() -> None:
        host = parse("10.9.8.7:5000")
        assert await destinations.resolve(host, {host}) == ["10.9.8.7"]
        with pytest.raises(destinations.NoWay, match=r"10\.9.8.7 is private"):
            await destinations.resolve(host, {parse("10.9.8.7:5001")})
        with pytest.raises(destinations.NoWay, match="this machine"):
            await destinations.resolve(parse("2130706433:80"), set())  # 127.0.0.1, as one number

    by_hand(run)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET https://x.org/ HTTP/1.1\r\n\r\n", 400),
        ("CONNECT x.org HTTP/1.1\r\n\r\n", 400),
        ("CONNECT x.org:99999 HTTP/1.1\r\n\r\n", 400),
        ("\x16\x03\x01 hello\r\n\r\n", 400),
        ("GET http://x.org/ HTTP/1.1\r\nA: b\nHost: y\r\n\r\n", 400),
        ("GET http://x.org/ HTTP/1.1\r\nA : b\r\n\r\n", 400),
        ("POST http://x.org/ HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        ("POST http://x.org/ HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        ("GET http://user@x.org/ HTTP/1.1\r\n\r\n", 400),
        ("GET http://x.org/ HTTP/1.1\r\n" + "A: b\r\n" * 20_000, 431),
    ],
)
def test_what_is_no_request_of_a_proxy_is_refused(text: str, status: int) -> None:
    async def run() -> None:
        async with serving("x.org:80") as (port, _, _served):
            assert (await said(port, text, until_end=False)).startswith(f"HTTP/1.1 {status} ")

    by_hand(run)


def test_what_follows_a_request_does_not_reach_its_host(server: int) -> None:
    async def run() -> None:
        async with serving(f"127.0.0.1:{server}") as (port, _, _served):
            once = f"GET http://127.0.0.1:{server}/a HTTP/1.1\r\nHost: other\r\nProxy-Authorization: x\r\n\r\n"
            answer = await said(port, once + once.replace("/a", "/b"))
            assert "GET /a" in answer
            assert "/b" not in answer
            assert "proxy-authorization" not in answer
            assert "other" not in answer

    by_hand(run)


def test_connections_are_bounded_and_end_with_the_proxy(server: int, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        monkeypatch.setattr(proxy, "MOST", 3)
        async with serving(f"127.0.0.1:{server}") as (port, told, served):
            held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
            for _, writer in held:
                writer.write(f"CONNECT 127.0.0.1:{server} HTTP/1.1\r\n\r\n".encode())
            for reader, _ in held:
                assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
            answer = await said(port, f"CONNECT 127.0.0.1:{server} HTTP/1.1\r\n\r\n")
            assert answer.startswith("HTTP/1.1 503 ")
            assert "more than 3 connections" in told[0]
            served.close()
            for reader, writer in held:
                async with asyncio.timeout(10):
                    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                        await reader.readexactly(1)
                writer.close()
            with pytest.raises(OSError):
                await asyncio.open_connection("127.0.0.1", port)

    by_hand(run)


def test_a_connection_without_a_request_or_without_a_byte_is_closed(
    server: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        monkeypatch.setattr(proxy, "HEADER_SECONDS", 0.1)
        monkeypatch.setattr(proxy, "IDLE_SECONDS", 0.3)
        async with serving(f"127.0.0.1:{server}") as (port, _, _served):
            assert (await said(port, "GET http")).startswith("HTTP/1.1 408 ")
            assert (await said(port, f"CONNECT 127.0.0.1:{server} HTTP/1.1\r\n\r\n")).startswith("HTTP/1.1 200 ")

    by_hand(run)


def test_a_loop_of_refusals_does_not_fill_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        monkeypatch.setattr(proxy, "TOLD", 5)
        async with serving("x.org:80") as (port, told, _):
            for _ in range(23):
                await said(port, "CONNECT y.org:80 HTTP/1.1\r\n\r\n")
            assert len(told) == 5 + 3
            assert "20 refusals so far" in told[-1]

    by_hand(run)


def test_a_host_that_does_not_answer_is_told() -> None:
    async def run() -> None:
        with socket.create_server(("127.0.0.1", 0)) as gone:
            closed = gone.getsockname()[1]
        async with serving(f"127.0.0.1:{closed}", "no-such-name.invalid:80") as (port, told, _):
            assert " 502 " in await said(port, f"CONNECT 127.0.0.1:{closed} HTTP/1.1\r\n\r\n")
            assert " 403 " in await said(port, "CONNECT no-such-name.invalid:80 HTTP/1.1\r\n\r\n")
            assert "cannot be reached" in told[0]
            assert "cannot be resolved" in told[1]

    by_hand(run)
