"""Standing: which walls this machine has for this user, found by putting each up in a child that ends at once."""

import os
import pickle
import signal
import socket
import tempfile
from typing import Callable, Dict, List, NamedTuple, Optional

from ovd.walls import NAMES, calls, landlock, limits, namespaces, proc, reasons, room, seccomp
from ovd.walls.failure import WallFailed, wall

PATIENCE_SECONDS = 20.0
FIRST_UID = 2_000_000_000  # of the ranges that root's runner gives to templates: beyond what systems and containers use


class Examination(NamedTuple):
    """What was found."""

    missing: Dict[str, str]  # wall → "" if it stands, else why it does not, with the cure
    remarks: Dict[str, str]  # wall → what to know although it stands


def standing(*, first_uid: int = FIRST_UID) -> Dict[str, str]:
    """Each wall's name → "" if it stands here, else why not."""
    return examine(first_uid=first_uid).missing


def examine(*, first_uid: int = FIRST_UID) -> Examination:
    """Try every wall. Forks, so call it before there are threads; the caller stays as it is."""
    base = None if os.geteuid() else first_uid
    trials: Dict[str, Callable[[], str]] = {
        "user": lambda: _in_user_namespace(base, _user),
        "files": lambda: _in_room(base),
        "processes": lambda: _in_user_namespace(base, _processes),
        "network": lambda: _in_user_namespace(base, lambda _: _unshared(calls.NEWNET)),
        "ipc": lambda: _in_user_namespace(base, lambda _: _unshared(calls.NEWIPC | calls.NEWUTS)),
        "landlock": _landlock,
        "seccomp": _seccomp,
        "privileges": _privileges,
        "limits": _limits,
    }
    missing: Dict[str, str] = {}
    remarks: Dict[str, str] = {}
    for name in NAMES:
        try:
            said = _in_child(trials[name])
        except OSError as error:
            missing[name] = reasons.explain(name, error)
            continue
        missing[name] = ""
        if said:
            remarks[name] = said
    return Examination(missing, remarks)


def _user(base: Optional[int]) -> str:
    if base is None:
        namespaces.own_user()
        return "Templates and applications are processes of your own user, each application in a user namespace."
    os.setresgid(1, 1, 1)
    os.setresuid(1, 1, 1)
    return ""


def _processes(base: Optional[int]) -> str:
    calls.unshare(calls.NEWPID)
    return _in_child(lambda: "" if os.getpid() == 1 else "The first process is not number 1.")


def _unshared(flags: int) -> str:
    calls.unshare(flags)
    return ""


def _in_user_namespace(base: Optional[int], then: Callable[[Optional[int]], str]) -> str:
    """Do something as templates are: uid 0 of a user namespace."""
    namespaces.enter_own()
    _new_user_namespace(base)
    return then(base)


def _new_user_namespace(base: Optional[int]) -> None:
    """The maps are written from outside, by a child that stayed there."""
    ready, go = os.pipe()
    done, tell = os.pipe()
    us = os.getpid()
    mapper = os.fork()
    if mapper == 0:
        code = 1
        try:
            os.close(go)
            if os.read(ready, 1):
                namespaces.map_ids(us, base)
                os.write(tell, b"x")
            code = 0
        except OSError as error:
            os.write(tell, str(error).encode())
        finally:
            os._exit(code)
    os.close(tell)
    os.close(ready)
    try:
        with wall("user"):
            calls.unshare(calls.NEWUSER)
        os.write(go, b"x")
        said = os.read(done, 1000)
    finally:
        os.close(go)
        os.close(done)
        os.waitpid(mapper, 0)
    if said != b"x":
        raise WallFailed("user", OSError(1, said.decode(errors="replace")))
    namespaces.become_root(has_range=base is not None)


def _in_room(base: Optional[int]) -> str:
    """A whole room, furnished as for an application."""
    namespaces.enter_own()
    folder = tempfile.mkdtemp(prefix="ovd-room-")
    try:
        os.chmod(folder, 0o755)
        app = calls.open_tree(folder)
        calls.make_read_only(app)
        return _in_child(lambda: _furnished(folder, app, base))
    finally:
        os.rmdir(folder)


def _furnished(folder: str, app: int, base: Optional[int]) -> str:
    calls.unshare(calls.NEWNS)
    room.build(folder, read_only=[], own_proc=base is not None)
    _new_user_namespace(base)
    calls.unshare(calls.NEWNS | calls.NEWPID)

    def inside() -> str:
        room.furnish(app=app, model=None, scratch=None, disk_mb=1)
        if os.path.exists("/home") or os.listdir("/app"):
            raise OSError(None, "files of the machine can be seen in a room")
        return reasons.SMALLER_PROC if proc.is_smaller() else ""

    return _in_child(inside)


def _landlock() -> str:
    calls.no_new_privileges()
    abi = landlock.version()
    landlock.restrict(readable=["/proc"], writable=[], devices=[], network=False, abi=abi)
    try:
        os.listdir("/usr")
    except PermissionError:
        return reasons.of_landlock(abi)
    raise OSError(None, "it was put up and did not hold")


def _seccomp() -> str:
    calls.no_new_privileges()
    seccomp.install(seccomp.of_application(seccomp.here(), local=True, network=False, devices=False))
    try:
        calls.unshare(calls.NEWUTS | calls.NEWUSER)
    except PermissionError:
        return ""
    raise OSError(None, "it was put up and did not hold")


def _privileges() -> str:
    calls.drop_capabilities()
    calls.no_new_privileges()
    return ""


def _limits() -> str:
    limits.bind(memory_mb=512, disk_mb=256, tasks=512)
    return ""


def _in_child(what: Callable[[], str]) -> str:
    """What it answers, or the OSError that it raised, from a child that does it."""
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        try:
            ours.close()
            _answer(theirs, what)
        finally:
            os._exit(0)
    theirs.close()
    ours.settimeout(PATIENCE_SECONDS)
    try:
        parts: List[bytes] = []
        while True:
            part = ours.recv(65536)
            if not part:
                break
            parts.append(part)
    except socket.timeout:
        os.kill(child, signal.SIGKILL)
        raise OSError(None, f"trying it did not end within {PATIENCE_SECONDS:g} s") from None
    finally:
        ours.close()
        os.waitpid(child, 0)
    if not parts:
        raise OSError(None, "the process that tried it was ended")
    number, text, answer = pickle.loads(b"".join(parts))
    if text:
        raise OSError(number, text)
    return str(answer)


def _answer(theirs: socket.socket, what: Callable[[], str]) -> None:
    number, said, answer = None, "", ""
    try:
        answer = what()
    except OSError as error:
        number, said = error.errno, str(error.strerror or error)
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
    theirs.sendall(pickle.dumps((number, said, answer)))
