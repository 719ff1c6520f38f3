"""A small platform that speaks the HTTP API over real sockets, for tests of the client and the command line.

It executes one application, `acme/double` (twice a number; a file in gives the file back), and can be told to fail.
"""

import hashlib
import io
import json
import tarfile
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from ovd.schema import FileHead, accept
from sdk.learning_platform import RUN, Learning

TOKEN = "ovd_right"
SCHEMA: dict[str, Any] = {
    "version": 1,
    "name": "double",
    "title": "Double",
    "summary": "Twice a number.",
    "inputs": {
        "type": "object",
        "required": ["number"],
        "additionalProperties": False,
        "properties": {
            "number": {
                "type": "integer",
                "maximum": 100,
                "minimum": 0,
                "title": "Number",
                "x-ovd": {"kind": "integer", "order": 0, "unit": "l"},
            },
            "note": {"type": "string", "default": "", "title": "Note", "x-ovd": {"kind": "text", "order": 1}},
            "paper": {
                "type": ["object", "string"],
                "title": "Paper",
                "x-ovd": {"kind": "file", "order": 2, "optional": True, "max_bytes": 1000},
            },
        },
    },
    "outputs": {
        "type": "object",
        "properties": {
            "twice": {"title": "Twice", "x-ovd": {"kind": "integer", "unit": "l"}},
            "copy": {"title": "Copy", "x-ovd": {"kind": "file"}},
        },
    },
}


EXECUTION_EVENTS: list[tuple[str, Any]] = [
    ("status", {"status": "running"}),
    ("log", {"stream": "stdout", "text": "one\u2028line\n"}),
    ("progress", {"fraction": 0.5, "message": ""}),
    ("log", {"stream": "stdout", "text": "two\n"}),
    ("done", {"status": "succeeded"}),
]

DRIFT = {
    "is_drifting": True,
    "reason": "Drift in flow (psi 0.61, limit 0.25).",
    "model": 3,
    "at": "2026-03-01T12:00:00Z",
    "samples": 500,
    "fields": {
        "flow": {
            "kind": "number",
            "measures": {"psi": 0.61, "missing": 0.0},
            "limits": {"psi": 0.25, "missing": 0.1},
            "is_drifting": True,
        }
    },
    "history": [],
}


class Platform:
    """What the tests set before, and look at after."""

    def __init__(self) -> None:
        self.url = ""
        self.organisations = [{"slug": "acme", "title": "Acme", "role": "author"}]
        self.next_failures: list[str] = []  # "503", "429:0" (Retry-After), "500", "drop" (done, but not answered)
        self.looks_until_done = 0  # GETs of an execution until it is finished
        self.outcome = "succeeded"
        self.events_per_connection = 100
        self.ends_build_as = "ready"
        self.requests: list[tuple[str, str, dict[str, str]]] = []  # method, path, headers
        self.executions: dict[str, dict[str, Any]] = {}
        self.keys: dict[str, str] = {}  # Idempotency-Key → execution
        self.files: dict[str, bytes] = {}
        self.archives: list[list[str]] = []  # names in each pushed archive
        self.falls_silent = False  # a stream stays open after its events, until `may_end`
        self.may_end = threading.Event()
        self.learning = Learning()  # of acme/flow
        self.asked: list[str] = []  # hosts, by acme/double
        self.allowed: list[str] = []  # hosts, to acme/double

    def network(self) -> dict[str, list[str]]:
        reached = [host for host in self.asked if host in self.allowed]
        return {"asked": self.asked, "allowed": self.allowed, "reached": reached}

    def count(self, method: str, ending: str) -> int:
        return sum(1 for asked, path, _ in self.requests if asked == method and path.endswith(ending))


class Problem(Exception):
    def __init__(self, status: int, code: str, detail: str, errors: list[dict[str, str]] | None = None) -> None:
        self.status = status
        self.body = {"type": "about:blank", "title": code, "status": status, "code": code, "detail": detail}
        if errors:
            self.body["errors"] = errors


class Door(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    platform: Platform

    def log_message(self, format: str, *args: Any) -> None:
        return

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def do_PATCH(self) -> None:
        self._serve("PATCH")

    def _serve(self, method: str) -> None:
        platform = self.platform
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        path = urlsplit(self.path).path
        platform.requests.append((method, path, {name.lower(): value for name, value in self.headers.items()}))
        failure = platform.next_failures.pop(0) if platform.next_failures else ""
        if failure and failure != "drop":
            status, _, after = failure.partition(":")
            extra = {"Retry-After": after} if after else {}
            problem = {"status": int(status), "code": "failure", "detail": f"Told to answer {status}."}
            return self._answer(int(status), problem, extra)
        try:
            status, document = self._route(method, path.removeprefix("/api/v1"), body)
        except Problem as problem:
            status, document = problem.status, problem.body
        if failure == "drop":
            self.close_connection = True
            return None
        if document is not None:
            self._answer(status, document, {})
        return None

    def _answer(self, status: int, document: Any, headers: dict[str, str]) -> None:
        content = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.send_response(status)
        kind = "application/problem+json" if status >= 400 else "application/json"
        for name, value in {"Content-Type": kind, "Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _route(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        platform = self.platform
        if self.headers.get("authorization") != f"Bearer {TOKEN}":
            raise Problem(401, "unauthenticated", "This token is not known.")
        match method, [unquote(part) for part in path.strip("/").split("/")]:
            case "GET", ["me"]:
                return 200, {
                    "user": {"username": "ada", "name": "", "is_staff": False},
                    "organisations": platform.organisations,
                }
            case "GET", ["applications"]:
                return self._page(parse_qs(urlsplit(self.path).query).get("cursor", [""])[0])
            case "GET", ["applications", "acme", "double"]:
                return 200, {**application("double"), "release": 3, "network": platform.network()}
            case "PATCH", ["applications", "acme", "double"]:
                platform.allowed = json.loads(body)["network_allowed"]
                return 200, {**application("double"), "release": 3, "network": platform.network()}
            case "GET", ["applications", "acme", "empty"]:
                return 200, {**application("empty"), "release": None}
            case "GET", ["applications", "acme", "double", "releases", "3"]:
                return 200, {"number": 3, "status": "ready", "error": None, "log": "", "schema": SCHEMA}
            case "GET", ["applications", "acme", "double", "drift"]:
                return 200, DRIFT
            case "POST", ["applications", "acme", _, "releases"]:
                with tarfile.open(fileobj=io.BytesIO(self._parts(body)["archive"][1])) as archive:
                    platform.archives.append(archive.getnames())
                return 202, {"number": 4, "status": "building", "error": None, "log": "", "schema": None}
            case "GET", ["applications", "acme", _, "releases", "4"]:
                return 200, self._build()
            case "GET", ["applications", "acme", _, "releases", "4", "log"]:
                log = [("log", {"text": f"step {step}\n"}) for step in range(3)]
                self._events([*log, ("done", {"status": platform.ends_build_as})])
                return 200, None
            case "POST", ["applications", "acme", "double", "executions"]:
                return self._execute(body)
            case "GET", ["executions", id] if id in platform.executions:
                return 200, self._looked_at(id)
            case "POST", ["executions", id, "cancel"] if id in platform.executions:
                raise Problem(409, "not_allowed", "The execution is finished already.")
            case "GET", ["executions", id, "events"] if id in platform.executions:
                self._events(EXECUTION_EVENTS)
                return 200, None
            case "GET", ["files", digest] if digest in platform.files:
                return 200, platform.files[digest]
            case _, ["applications", "acme", "flow", *parts] if found := self._learning(method, parts, body):
                return found
            case "GET", ["learning-runs", id] if id == RUN:
                return 200, platform.learning.run()
            case "GET", ["learning-runs", id, "log"] if id == RUN:
                return 200, b"epoch 1\n"
            case "GET", ["learning-runs", id, "events"] if id == RUN:
                self._events(platform.learning.events())
                return 200, None
            case "POST", ["learning-runs", id, "cancel"] if id == RUN:
                return 200, platform.learning.run("cancelled")
        raise Problem(404, "not_found", f"There is no {path}.")

    def _learning(self, method: str, parts: list[str], body: bytes) -> tuple[int, Any] | None:
        sent = json.loads(body) if body else None
        found = self.platform.learning.answer(method, parts, sent, parse_qs(urlsplit(self.path).query))
        if found and found[0] >= 400:
            raise Problem(found[0], found[1]["code"], found[1]["detail"], found[1].get("errors"))
        return found

    def _page(self, cursor: str) -> tuple[int, Any]:
        if not cursor:
            return 200, {"items": [application("double")], "next": "a b"}
        return 200, {"items": [application("empty")], "next": None}

    def _build(self) -> dict[str, Any]:
        status = self.platform.ends_build_as
        error = "The sample greeting failed." if status == "failed" else None
        return {"number": 4, "status": status, "log": "all of it", "schema": SCHEMA, "error": error}

    def _parts(self, body: bytes) -> dict[str, tuple[str, bytes]]:
        head = f"Content-Type: {self.headers['content-type']}\r\n\r\n".encode()
        parts: dict[str, tuple[str, bytes]] = {}
        for part in message_from_bytes(head + body).get_payload():  # type: ignore[union-attr]
            name = part.get_param("name", header="content-disposition")  # type: ignore[union-attr]
            parts[str(name)] = (part.get_filename() or "", part.get_payload(decode=True))  # type: ignore
        return parts

    def _execute(self, body: bytes) -> tuple[int, Any]:
        platform = self.platform
        key = self.headers["idempotency-key"]
        if key in platform.keys:
            return 201, self._looked_at(platform.keys[key])
        files: dict[str, tuple[str, bytes]] = {}
        if self.headers["content-type"].startswith("multipart/"):
            files = self._parts(body)
            request = {name: json.loads(files.pop(name)[1]) for name in ("inputs", "seed") if name in files}
        else:
            request = json.loads(body)
        heads = {name: FileHead(*found, len(data), data) for name, (*found, data) in with_types(files)}
        inputs, errors = accept(SCHEMA["inputs"], request["inputs"], heads)
        if errors:
            raise Problem(422, "invalid", "The inputs are not accepted.", [error._asdict() for error in errors])
        outputs: dict[str, Any] = {"twice": 2 * inputs["number"]}
        for name, data in files.values():
            digest = hashlib.sha256(data).hexdigest()
            platform.files[digest] = data
            outputs["copy"] = {
                "name": name,
                "media_type": "text/plain",
                "size": len(data),
                "digest": f"sha256:{digest}",
                "url": f"/api/v1/files/{digest}",
            }
        id = uuid.uuid4().hex
        platform.keys[key] = id
        platform.executions[id] = {
            "id": id,
            "application": "acme/double",
            "looks": 0,
            "seed": request.get("seed", 0),
            "outputs": outputs,
        }
        return 201, self._looked_at(id)

    def _looked_at(self, id: str) -> dict[str, Any]:
        execution = self.platform.executions[id]
        looks, execution["looks"] = execution["looks"], execution["looks"] + 1
        record = {"id": id, "application": "acme/double", "seed": execution["seed"], "inputs": {}, "error": None}
        if looks < self.platform.looks_until_done:
            progress = {"fraction": looks / self.platform.looks_until_done, "message": "at it"}
            return {**record, "status": "running", "outputs": None, "progress": progress, "seconds": None}
        status = self.platform.outcome
        if status != "succeeded":
            error = {"code": "exception", "message": "No water in the pipe."}
            return {**record, "status": status, "outputs": None, "error": error}
        return {**record, "status": status, "outputs": execution["outputs"], "seconds": 0.25}

    def _events(self, events: list[tuple[str, Any]]) -> None:
        """All events after Last-Event-ID, but only so many in one connection."""
        after = int(self.headers.get("last-event-id") or 0)
        if after >= len(events):
            self.send_response(204)
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        sent = events[after : after + self.platform.events_per_connection]
        for number, (name, data) in enumerate(sent, start=after + 1):
            text = json.dumps(data, ensure_ascii=False)
            self.wfile.write(f": alive\nid: {number}\nevent: {name}\ndata: {text}\n\n".encode())
        self.wfile.flush()
        if self.platform.falls_silent:
            self.platform.may_end.wait(30)


def with_types(files: dict[str, tuple[str, bytes]]) -> Iterator[tuple[str, tuple[str, str, bytes]]]:
    for name, (filename, data) in files.items():
        yield name, (filename, "text/plain", data)


def application(name: str) -> dict[str, Any]:
    return {
        "org": "acme",
        "name": name,
        "title": name.capitalize(),
        "status": "enabled",
        "health": "healthy",
        "phase": "idle",
        "reason": "Nobody asked yet.",
        "next": {"what": "Wakes when somebody uses it.", "at": None},
        "url": f"/a/acme/{name}/",
    }


@contextmanager
def running() -> Iterator[Platform]:
    """A platform on a free port of this machine."""
    platform = Platform()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("ThisDoor", (Door,), {"platform": platform}))
    platform.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield platform
    finally:
        platform.may_end.set()
        server.shutdown()
        server.server_close()
        thread.join()
