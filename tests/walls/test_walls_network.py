"""No network, and no line to other processes, for applications and for the libraries that a template imports."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from walls import inside

TRY = """
import os, socket
def tried(what):
    try:
        return repr(what())
    except OSError as error:
        return error.strerror
"""


@pytest.fixture
def neighbour() -> Iterator[int]:
    """The port of somebody on this machine who listens, such as a database."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_no_socket_but_a_local_one_can_be_made(mode: str, app: Path) -> None:
    families = "AF_INET AF_INET6 AF_NETLINK AF_PACKET AF_VSOCK AF_ALG AF_UNIX"
    code = TRY + f"print([tried(lambda: socket.socket(getattr(socket, n)).close()) for n in '{families}'.split()])"
    assert inside.said(mode, code, app=app) == str(["Operation not permitted"] * 6 + ["None"])


def test_who_may_use_the_network_finds_only_itself_there(mode: str, app: Path, neighbour: int) -> None:
    code = TRY + (
        "door = socket.create_server(('127.0.0.1', 3128))\n"
        "print(tried(lambda: socket.create_connection(('127.0.0.1', 3128)).close()), "
        f"tried(lambda: socket.create_connection(('127.0.0.1', {neighbour}))), "
        "tried(lambda: socket.create_connection(('192.0.2.1', 80), 5)))"
    )
    enclosure = {"uid": inside.UID if mode == "root" else None, "network": True}
    told = inside.said(mode, code, app=app, enclosure=enclosure)
    assert told == "None Connection refused Network is unreachable"


def test_without_a_network_of_its_own_it_gets_none_at_all(mode: str, app: Path) -> None:
    walls = tuple(wall for wall in inside.WALLS if wall != "network")
    enclosure = {"uid": inside.UID if mode == "root" else None, "network": True}
    told = inside.said(mode, TRY + "print(tried(lambda: socket.socket()))", app=app, enclosure=enclosure, walls=walls)
    assert told == "Operation not permitted"


def test_abstract_sockets_of_the_machine_are_out_of_reach(mode: str, app: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("\0ovd-test-of-walls")
        listener.listen()
        code = TRY + "print(tried(lambda: socket.socket(socket.AF_UNIX).connect('\\0ovd-test-of-walls')))"
        assert inside.said(mode, code, app=app) in ("Connection refused", "Operation not permitted")


def test_a_template_reaches_no_network_and_signals_nobody(mode: str, app: Path, neighbour: int) -> None:
    """What a library does while it is imported, before there is any application."""
    before = TRY + (
        f"for what in (lambda: socket.create_connection(('127.0.0.1', {neighbour})), "
        "lambda: os.kill(os.getppid(), 0), lambda: open('/etc/shadow'), "
        "lambda: open(f'/proc/{os.getppid()}/environ')):\n"
        "    print(tried(what), flush=True)"
    )
    connecting, signalling, *reading = inside.said(mode, "", app=app, before=before).splitlines()
    assert connecting == "Network is unreachable"
    assert signalling == "Operation not permitted"
    assert set(reading) <= {"No such file or directory", "Permission denied"}
