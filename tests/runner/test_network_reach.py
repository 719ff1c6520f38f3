"""From inside its room a process reaches the hosts of its list, by way of the runner, and nothing else."""

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ovd_saas.engines.base import Prepared
from runner.running import Runner, Talk, until

ASK = """
import urllib.error, urllib.request
try:
    answer = urllib.request.urlopen("{url}", timeout=10).read().decode()
except urllib.error.HTTPError as error:
    answer = error.read().decode()
except OSError as error:
    answer = f"no way: {{error}}"
"""
CONNECT = """
import socket
try:
    socket.create_connection(("127.0.0.1", {port}), 3)
    answer = "through"
except OSError as error:
    answer = f"no way: {{error}}"
"""


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello from outside")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def outside() -> Iterator[int]:
    """The port of a web server on this machine."""
    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=web.serve_forever)
    thread.start()
    yield int(web.server_address[1])
    web.shutdown()
    thread.join()
    web.server_close()


@pytest.fixture
def walled(shared: Runner) -> Runner:
    if shared.engine.hello().walls.get("network"):
        pytest.skip("This machine has no network namespaces.")
    return shared


def test_a_host_of_its_list_is_reached_and_others_are_refused_and_logged(
    walled: Runner, puppet: tuple[str, Prepared], outside: int
) -> None:
    process, started = walled.start(puppet, hosts=[f"127.0.0.1:{outside}"])
    talk = Talk(started.address)
    assert talk.ask(ASK.format(url=f"http://127.0.0.1:{outside}/")) == "hello from outside"
    assert "is refused" in talk.ask(ASK.format(url=f"http://localhost:{outside}/"))
    assert talk.ask(CONNECT.format(port=outside)).startswith("no way")
    until(lambda: f"localhost:{outside} is refused" in walled.engine.log(process), "the refusal in the log")
    walled.engine.stop(process, 0)


def test_without_a_list_nothing_is_reached(walled: Runner, puppet: tuple[str, Prepared], outside: int) -> None:
    process, started = walled.start(puppet)
    talk = Talk(started.address)
    assert talk.ask("import os; answer = [name for name in os.environ if 'proxy' in name.lower()]") == "[]"
    assert talk.ask(ASK.format(url=f"http://127.0.0.1:{outside}/")).startswith("no way")
    assert talk.ask(CONNECT.format(port=outside)).startswith("no way")
    walled.engine.stop(process, 0)


def test_the_way_out_ends_with_the_process(walled: Runner, puppet: tuple[str, Prepared], outside: int) -> None:
    before = len(list(Path(f"/proc/{walled.pid}/fd").iterdir()))
    for _ in range(3):
        process, started = walled.start(puppet, hosts=[f"127.0.0.1:{outside}"])
        assert Talk(started.address).ask(ASK.format(url=f"http://127.0.0.1:{outside}/")) == "hello from outside"
        walled.engine.stop(process, 0)
        walled.exited(process)
    until(lambda: len(list(Path(f"/proc/{walled.pid}/fd").iterdir())) <= before + 3, "the descriptors to be given back")
