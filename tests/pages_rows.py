"""Rows that look like a platform at work: for tests of pages in a browser, and for looking at pages."""

import io
import json
import math
import struct
import tarfile
import uuid
import zlib
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

import makers
from ovd_saas.appcore.executions import new_id
from ovd_saas.files import store as files
from ovd_saas.store.records import Application, Execution, ExecutionEvent, Process, Release, Runner, Transition, User

PASSWORD = "sleep well"


def person(name: str = "ana", role: str = "owner", slug: str = "acme") -> User:
    user = makers.user(name, role, slug)
    user.set_password(PASSWORD)
    user.save()
    return user


def prop(kind: str, order: int, **more: Any) -> dict[str, Any]:
    """One field of a schema."""
    hints = {"kind": kind, "order": order, "advanced": more.pop("advanced", False)}
    for name in ("unit", "labels", "media_types", "multiline", "optional", "columns"):
        if name in more:
            hints[name] = more.pop(name)
    if kind in ("image", "file", "series", "table"):
        hints["max_bytes"] = 20 * 1024 * 1024
    types = {"integer": "integer", "number": "number", "boolean": "boolean", "text": "string", "choice": "string"}
    return {"type": types.get(kind, "object"), **more, "x-ovd": hints}


def schema(inputs: dict[str, Any], outputs: dict[str, Any], required: list[str], samples: list[Any]) -> dict[str, Any]:
    return {
        "version": 1,
        "learns": False,
        "inputs": {"type": "object", "additionalProperties": False, "required": required, "properties": inputs},
        "outputs": {"type": "object", "properties": outputs},
        "samples": samples,
    }


def hours(first: datetime, count: int) -> list[str]:
    return [(first + timedelta(hours=index)).isoformat() for index in range(count)]


def flow(index: int) -> float:
    return round(14 + 6 * math.sin(index / 24 * 2 * math.pi) + 1.4 * math.sin(index * 1.7), 3)


START = datetime.fromisoformat("2022-05-01T00:00:00+00:00")
HISTORY = {
    "times": hours(START, 240),
    "values": [flow(index) + (16 if 100 < index < 108 else 0) for index in range(240)],
}
FORECAST = {
    "forecast": {"times": hours(START + timedelta(hours=240), 48), "values": [flow(240 + i) for i in range(48)]},
    "lower": {
        "times": hours(START + timedelta(hours=240), 48),
        "values": [flow(240 + i) - 1 - i / 20 for i in range(48)],
    },
    "upper": {
        "times": hours(START + timedelta(hours=240), 48),
        "values": [flow(240 + i) + 1 + i / 20 for i in range(48)],
    },
    "anomalies": {
        "columns": ["start", "end", "hours", "kind", "flow", "expected", "score"],
        "rows": [[HISTORY["times"][101], HISTORY["times"][108], 7, "high", 33.1, 15.2, 9.4]],
    },
    "flagged": {
        "times": HISTORY["times"],
        "values": [value if 100 < index < 108 else None for index, value in enumerate(HISTORY["values"])],
    },
    "note": "Forecast by a model learned from 1,268 hours. 7 of 240 hours are flagged as unusual and were left out.",
}
WATER = schema(
    {
        "history": prop("series", 0, title="Flow so far", unit="l/s", description="Hourly values, two days or more."),
        "horizon": prop("integer", 1, title="Hours to forecast", unit="h", minimum=1, maximum=168, default=24),
        "level": prop("integer", 2, title="Level of the interval", unit="%", minimum=50, maximum=99, default=90),
        "threshold": prop(
            "number", 3, title="Threshold for anomalies", minimum=3, maximum=50, default=6.5, advanced=True
        ),
    },
    {
        "forecast": prop("series", 0, title="Forecast", unit="l/s"),
        "lower": prop("series", 1, title="Lower end of the interval", unit="l/s"),
        "upper": prop("series", 2, title="Upper end of the interval", unit="l/s"),
        "anomalies": prop(
            "table", 3, title="Anomalies in the history", description="One row for each run of unusual hours."
        ),
        "flagged": prop("series", 4, title="Anomalous hours", unit="l/s"),
        "note": prop("text", 5, title="How this was made"),
    },
    ["history"],
    [
        {
            "name": "ten-days",
            "title": "Ten days in May",
            "credit": "Tecnojest s.r.l., from river",
            "licence": "BSD-3-Clause",
            "inputs": {"history": HISTORY, "horizon": 48},
        },
        {
            "name": "short",
            "title": "Two values only",
            "credit": "",
            "licence": "",
            "inputs": {"history": [1.0, 2.0, 3.0]},
        },
    ],
)
LINES = schema(
    {
        "picture": prop("image", 0, title="Picture", media_types=["image/png", "image/jpeg"]),
        "detail": prop("choice", 1, title="Detail", enum=["coarse", "usual", "fine"], default="usual"),
        "shortest": prop("number", 2, title="Shortest segment", unit="px", minimum=1, maximum=200, default=12.5),
        "thin": prop("boolean", 3, title="Draw thin lines", default=True),
        "label": prop("text", 4, title="A name for the result", default="", optional=True, maxLength=80),
        "known": prop("table", 5, title="Known segments", columns=["x", "y"], optional=True, advanced=True),
    },
    {
        "drawn": prop("image", 0, title="Segments"),
        "count": prop("integer", 1, title="Number of segments"),
        "longest": prop("number", 2, title="Longest segment", unit="px"),
        "is_straight": prop("boolean", 3, title="Mostly straight"),
        "segments": prop("table", 4, title="All segments"),
        "data": prop("file", 5, title="Segments as a file"),
    },
    ["picture"],
    [
        {
            "name": "stairs",
            "title": "Stairs",
            "credit": "OVD-SaaS",
            "licence": "CC0-1.0",
            "inputs": {"picture": {"file": "stairs.png"}, "detail": "fine"},
        }
    ],
)
ECHO = schema(
    {
        "message": prop("text", 0, title="Message"),
        "times": prop("integer", 1, title="Times", minimum=1, maximum=9, default=1),
    },
    {"result": prop("text", 0, title="Answer")},
    ["message"],
    [
        {
            "name": "greeting",
            "title": "A greeting",
            "credit": "OVD-SaaS",
            "licence": "CC0-1.0",
            "inputs": {"message": "hello"},
        }
    ],
)


LIGHT, BLUE = bytes((230, 232, 240)), bytes((67, 82, 199))


def png(width: int = 96, height: int = 64) -> bytes:
    """A picture of stairs."""
    rows = b"".join(
        b"\0" + b"".join(LIGHT if x * height < (y - y % 8) * width else BLUE for x in range(width))
        for y in range(height)
    )

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def stored(name: str, media_type: str, data: bytes) -> dict[str, Any]:
    return {"name": name, "media_type": media_type, "size": len(data), "digest": files.put(data)}


def source(members: dict[str, bytes]) -> str:
    """A source archive in the file store; its digest."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return files.put(packed.getvalue())


def application(
    name: str, document: dict[str, Any], title: str = "", summary: str = "", slug: str = "acme", **also: Any
) -> Application:
    """Enabled and asleep, with a ready release of this schema."""
    made = Application.objects.create(
        organisation=makers.organisation(slug),
        name=name,
        title=title or name,
        summary=summary,
        since=timezone.now(),
        status="draft",
        reason=also.pop("reason", "Nobody used it for 300 seconds."),
        next_what=also.pop("next_what", "Wakes when somebody uses it."),
    )
    digest = source({"samples/stairs.png": png(), "samples/greeting.json": b"{}", "ovd.toml": b"name = 'x'"})
    release = Release.objects.create(
        application=made,
        number=1,
        state="ready",
        digest=digest,
        environment="sha256:" + "e7" * 32,
        size=files.size(digest),
        schema={**document, "name": name, "title": title, "summary": summary},
        seconds=7.4,
        ready_at=timezone.now(),
        log="Resolved 14 packages in 0.4 s\nInstalled 14 packages in 0.2 s\nsample ten-days: passed (0.31 s)\n",
        description="Forecasts the **coming hours** and flags unusual ones.\n\n- works offline\n- see [the paper](https://example.org)\n\n"
        "<script>alert('never')</script>",
        manifest={
            "name": name,
            "title": title,
            "licence": "Apache-2.0",
            "tags": ["series", "water"],
            "authors": [
                {"name": "Ana Pérez", "affiliation": "Université Paris-Saclay", "orcid": "0000-0002-1825-0097"}
            ],
            "paper": "https://example.org/paper",
            "credits": ["Data: Tecnojest s.r.l."],
            "resources": {"memory_mb": 512, "cpus": 1, "gpus": 0, "disk_mb": 256},
            "execute": {"timeout": 60, "concurrency": 2, "max_queue": 1000, "max_attempts": 3},
            "sleep": {"after": 300, "wake": "spawn"},
        },
    )
    Application.objects.filter(pk=made.pk).update(release=release, **{"status": "enabled", **also})
    return Application.objects.select_related("organisation", "release").get(pk=made.pk)


def execution(app: Application, user: User | None = None, ago: float = 60, **also: Any) -> Execution:
    """Succeeded, so many seconds ago."""
    at = timezone.now() - timedelta(seconds=ago)
    values: dict[str, Any] = {
        "id": new_id(),
        "application": app,
        "release": app.release,
        "status": "succeeded",
        "inputs": {},
        "outputs": {},
        "seed": 1234567,
        "created_at": at,
        "started_at": at + timedelta(seconds=0.3),
        "finished_at": at + timedelta(seconds=1.1),
        "seconds": 0.84,
        "attempts": 1,
        "caller": f"user:{user.pk if user else 0}",
        "created_by": user,
        "cause": {"kind": "page"},
        "log": "reading the input\n240 values\nforecast made\n",
        "digests": {
            "release": app.release.digest if app.release else "",
            "environment": "sha256:" + "e7" * 32,
            "inputs": "sha256:" + "a1" * 32,
            "outputs": "sha256:" + "b2" * 32,
        },
        "hardware": {"machine": "bench-1", "cpus": 8, "memory_mb": 32000},
    }
    return Execution.objects.create(**{**values, **also})


def unfinished(app: Application, user: User, status: str = "running", **also: Any) -> Execution:
    made = execution(
        app,
        user,
        ago=4,
        status=status,
        outputs=None,
        finished_at=None,
        seconds=None,
        log="",
        **({"started_at": None, "release": None} if status == "queued" else {}),
        **also,
    )
    for kind, body in (("status", {"status": status}), ("log", {"stream": "stdout", "text": "reading the input\n"})):
        ExecutionEvent.objects.create(execution=made, kind=kind, body=body, at=timezone.now())
    return made


def moved(app: Application, region: str, source: str, target: str, reason: str, ago: float, **also: Any) -> Transition:
    return Transition.objects.create(
        application=app,
        region=region,
        source=source,
        target=target,
        event="move",
        reason=reason,
        at=timezone.now() - timedelta(seconds=ago),
        **{"actor": "appcore", **also},
    )


def runner(name: str = "bench-1", *, is_up: bool = True) -> Runner:
    facts = {"cpus": 8, "memory_mb": 32000, "python": "3.11.9", "platform": "Linux 6.1 x86_64", "pid": 4711}
    return Runner.objects.get_or_create(
        name=name, defaults={"is_up": is_up, "seen_at": timezone.now(), "facts": facts}
    )[0]


def process(app: Application, state: str = "ready", **also: Any) -> Process:
    now = timezone.now()
    assert app.release is not None
    return Process.objects.create(
        **{
            "id": uuid.uuid4(),
            "application": app,
            "release": app.release,
            "runner": runner(),
            "state": state,
            "pid": 5120,
            "started_at": now - timedelta(seconds=90),
            "ready_at": now - timedelta(seconds=89.6),
            **also,
        }
    )


def platform() -> dict[str, Any]:
    """A platform at work: applications in every state, executions of every outcome. The rows by name."""
    ana = person()
    water = application(
        "water-flow",
        WATER,
        "Water flow forecast",
        "Forecasts the flow in a water pipeline and flags anomalies.",
        service="awake",
        reason="1 execution waits.",
        next_what="Falls asleep, if nobody uses it.",
        next_at=timezone.now() + timedelta(minutes=4),
    )
    lines = application("line-segments", LINES, "Line segments", "Finds straight segments in a picture.")
    echo = application(
        "echo",
        ECHO,
        "Echo",
        "Answers what it was given.",
        service="waking",
        next_what="Is awake as soon as its process is ready.",
    )
    gate = application(
        "gate-watch",
        ECHO,
        "Gate watch",
        "Learns what passes the gate.",
        learning="learning",
        reason="500 new samples arrived.",
        next_what="Goes on learning; wakes when somebody uses it.",
    )
    broken = application(
        "turbine-wear",
        ECHO,
        "Turbine wear",
        "Estimates the wear of turbine blades.",
        health="faulty",
        start_failures=3,
        reason="3 starts in a row failed; see the log of its last process.",
        next_what="Tries to start again.",
        next_at=timezone.now() + timedelta(seconds=52),
    )
    held = application(
        "old-forecast",
        ECHO,
        "Old forecast",
        "The one before.",
        status="suspended",
        reason="Suspended by ana.",
        next_what="Nothing, until a person enables it.",
    )
    new = makers.draft("brand-new")
    Application.objects.filter(pk=new.pk).update(
        title="Brand new", reason="No release is ready yet.", next_what="Opens when a release is ready."
    )
    failed_release = Release.objects.create(
        application=water,
        number=2,
        state="failed",
        digest="sha256:" + "c3" * 32,
        size=20480,
        created_by=ana,
        error="Sample ten-days: output “forecast” is missing. Return it.",
        log="Resolved 15 packages in 0.5 s\nsample ten-days: failed\n",
    )
    building = Release.objects.create(
        application=lines,
        number=2,
        digest="sha256:" + "d4" * 32,
        size=9000,
        created_by=ana,
        log="Resolved 9 packages\n",
    )
    inputs = {"history": HISTORY, "horizon": 48, "level": 90, "threshold": 6.5}
    done = execution(water, ana, 30, inputs=inputs, outputs=FORECAST)
    picture = stored("stairs.png", "image/png", png())
    drawn = execution(
        lines,
        ana,
        4000,
        inputs={"picture": picture, "detail": "fine", "shortest": 12.5, "thin": True},
        outputs={
            "drawn": stored("drawn.png", "image/png", png(320, 200)),
            "count": 1318,
            "longest": 87.25,
            "is_straight": True,
            "segments": {"columns": ["x1", "y1", "x2", "y2"], "rows": [[i, 2 * i, i + 9.5, 40] for i in range(30)]},
            "data": stored("segments.json", "application/json", json.dumps([1, 2]).encode()),
        },
    )
    failed = execution(
        echo,
        ana,
        700,
        inputs={"message": "hi", "times": 2},
        outputs=None,
        status="failed",
        attempts=3,
        error={
            "code": "exception",
            "message": "ZeroDivisionError: division by zero",
            "traceback": 'Traceback:\n  File "app.py", line 9\nZeroDivisionError: division by zero\n',
        },
    )
    rejected = execution(
        water,
        ana,
        86400,
        inputs={"history": {"times": [], "values": [1, 2, 3]}},
        outputs=None,
        status="rejected",
        error={"code": "rejected", "message": "The history has 3 values; 48 are needed."},
    )
    execution(
        water,
        ana,
        90000,
        status="cancelled",
        outputs=None,
        error={"code": "cancelled", "message": "Cancelled by ana."},
        seconds=None,
    )
    taken = execution(water, ana, 200000, taken_down_at=timezone.now(), outputs=None, log="")
    running = unfinished(water, ana, progress={"fraction": 0.42, "message": "fold 5 of 12"}, inputs=inputs)
    queued = unfinished(echo, ana, "queued", inputs={"message": "hello", "times": 1})
    moved(water, "release", "", "1", "Release 1 is current.", 200300, actor="user:ana", cause="release:1")
    moved(water, "status", "draft", "enabled", "Its first release is ready.", 200299, actor="user:ana")
    moved(water, "service", "awake", "draining", "Nobody used it for 300 seconds.", 1300)
    moved(water, "service", "draining", "asleep", "Its last process has ended.", 1299)
    moved(water, "service", "asleep", "waking", "1 execution waits.", 31, cause=f"execution:{done.pk}")
    moved(water, "service", "waking", "awake", "A process is ready.", 30)
    process(water)
    process(
        water,
        "ended",
        pid=4800,
        started_at=timezone.now() - timedelta(seconds=1700),
        ended_at=timezone.now() - timedelta(seconds=1299),
        end_reason="It was asked to stop.",
    )
    process(echo, "starting", pid=5200, ready_at=None)
    runner("bench-2", is_up=False)
    return {
        "ana": ana,
        "water": water,
        "lines": lines,
        "echo": echo,
        "gate": gate,
        "broken": broken,
        "held": held,
        "new": new,
        "failed_release": failed_release,
        "building": building,
        "done": done,
        "drawn": drawn,
        "failed": failed,
        "rejected": rejected,
        "taken": taken,
        "running": running,
        "queued": queued,
    }
