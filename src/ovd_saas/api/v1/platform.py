"""The platform: is it healthy, and which runners and processes are there. Floor 3."""

import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any, Literal

from django.db import Error
from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Status
from pydantic import ConfigDict, Field

from ovd_saas.api.callers import Request
from ovd_saas.api.shapes import Answer, Body, Text
from ovd_saas.appcore import runners
from ovd_saas.appcore.access import Caller
from ovd_saas.appcore.refusals import Forbidden, NotFound
from ovd_saas.domain import walls
from ovd_saas.store.queries import liveness, machines
from ovd_saas.store.records import Process, Runner

router = Router(tags=["platform"])

STALE_SECONDS = 20.0  # AppCore notes every 5 s that it sees a runner


class PartShape(Answer):
    """One part of the platform."""

    status: Literal["ok", "down", "unknown"]
    detail: str
    seconds: float | None = Field(None, description="How long its answer took.")
    age_seconds: float | None = Field(None, description="How long ago it was seen.")


class HealthShape(Answer):
    model_config = ConfigDict(
        title="Health",
        json_schema_extra={
            "example": {
                "status": "ok",
                "database": {"status": "ok", "detail": "It answers.", "seconds": 0.0004, "age_seconds": None},
                "appcore": {"status": "ok", "detail": "One leads.", "seconds": 0.0006, "age_seconds": None},
                "runner": {"status": "ok", "detail": "1 of 1 up.", "seconds": None, "age_seconds": 1.2},
            }
        },
    )

    status: Literal["ok", "down"]
    database: PartShape
    appcore: PartShape
    runner: PartShape


class WallShape(Answer):
    """A wall around applications."""

    name: str
    title: str
    does: str = Field(description="The end of a sentence that begins with: The application …")
    stands: bool
    why_not: str = Field(description="Why it does not stand here, and what would change that; empty if it stands.")


class TemplateShape(Answer):
    """A process that has imported libraries, and forks the processes of applications."""

    libraries: list[str]
    preload: list[str] = Field(description="The modules that it imported.")
    environment: str
    pid: int
    memory_mb: float = Field(description="Pages that it shares with its children are counted in part.")
    children: int = Field(description="Living processes that it forked.")
    used_at: datetime
    applications: int = Field(description="Of those that you may see: how many run in its environment.")


class MemoryShape(Answer):
    """The machine's memory for applications, in MB."""

    total_mb: int | None = Field(description="Null: the machine does not say.")
    held_mb: int = Field(description="What living processes were promised.")
    free_mb: int | None
    waiting: int = Field(description="Applications that wait until there is enough.")
    templates_mb: float = Field(description="What all templates take.")
    templates_most_mb: int = Field(description="What they may take; beyond it those unused for longest go.")


class ProcessShape(Answer):
    id: str
    kind: Literal["serve", "learn", "evaluate"]
    application: str
    release: int
    state: Literal["starting", "ready", "draining", "ended"]
    concurrency: int
    pid: int | None
    memory_mb: int = Field(description="What it was promised of the machine's.")
    how: Literal["fork", "template", "spawn", ""] = Field(
        description="How it was born: forked by a template; by one that was built first; from nothing; not known."
    )
    started_at: datetime
    ready_at: datetime | None
    ready_seconds: float | None = Field(description="From the order to being ready, as the runner measured.")


class DrainShape(Answer):
    """Since then nothing new starts on the machine."""

    at: datetime
    by: str
    reason: str


class NewDrain(Body):
    reason: Text = Field("", max_length=300, description="Why, for everybody who wonders that nothing starts.")


class RunnerShape(Answer):
    """One machine's runner, as AppCore last saw it."""

    model_config = ConfigDict(title="Runner")

    name: str
    is_up: bool
    seen_at: datetime | None
    drained: DrainShape | None = Field(description="A person empties it: nothing new starts there.")
    cpus: float | None
    memory_mb: float | None
    platform: str | None
    python: str | None
    walls: list[WallShape]
    memory: MemoryShape
    templates: list[TemplateShape] = Field(description="Those whose environment an application that you may see uses.")
    processes: list[ProcessShape] = Field(description="Living processes of applications that you may see.")


class RunnerPage(Answer):
    items: list[RunnerShape]
    next: str | None


@router.get("/health", auth=None, response={200: HealthShape, 503: HealthShape}, summary="Is the platform healthy?")
def health(request: HttpRequest) -> Status[dict[str, Any]]:
    """503 when a part is down. Needs no token."""
    found = check(timezone.now())
    is_ok = all(part["status"] == "ok" for part in found.values())
    return Status(200 if is_ok else 503, {"status": "ok" if is_ok else "down", **found})


@router.get("/runners", response=RunnerPage, summary="Machines and processes")
def list_runners(request: Request) -> dict[str, Any]:
    there = list(liveness.runners())
    rooms = machines.rooms(there)
    items = [_describe(runner, rooms[runner.pk], request.auth) for runner in there]
    return {"items": items, "next": None}


@router.post("/runners/{name}/drain", response=RunnerShape, summary="Let nothing new start on a machine")
def drain(request: Request, name: str, new: NewDrain | None = None) -> dict[str, Any]:
    """What runs may finish, who is awake falls asleep, learning that can give way does; whoever comes waits. 409 when
    it is drained already. By staff."""
    runner = _of_staff(request.auth, name)
    reason = new.reason.strip() if new else ""
    runner = runners.drain(runner_id=runner.pk, by=request.auth.actor, reason=reason, now=timezone.now())
    return _describe(runner, machines.rooms([runner])[runner.pk], request.auth)


@router.post("/runners/{name}/take-back", response=RunnerShape, summary="Let things start on a machine again")
def take_back(request: Request, name: str) -> dict[str, Any]:
    """Whoever has waited for longest is first. 409 when it is not drained. By staff."""
    runner = _of_staff(request.auth, name)
    runner = runners.undrain(runner_id=runner.pk, by=request.auth.actor, now=timezone.now())
    return _describe(runner, machines.rooms([runner])[runner.pk], request.auth)


def _of_staff(caller: Caller, name: str) -> Runner:
    if not caller.is_staff:
        raise Forbidden("Machines are drained by the staff of the platform. Ask one of them.")
    runner = liveness.runners().filter(name=name).first()
    if runner is None:
        raise NotFound(f"There is no machine {name}.")
    return runner


def _drained(runner: Runner) -> dict[str, Any] | None:
    if runner.drained_at is None:
        return None
    return {"at": runner.drained_at, "by": runner.drained_by, "reason": runner.drain_reason}


def check(now: datetime) -> dict[str, dict[str, Any]]:
    """`{status, detail, …}` of database, appcore and runner."""
    database = _asked(liveness.database_answers, lambda _: ("ok", "It answers."))
    if database["status"] != "ok":
        unknown = {"status": "unknown", "detail": "Without the database nobody can tell."}
        return {"database": database, "appcore": unknown, "runner": unknown}
    appcore = _asked(
        liveness.appcore_leads,
        lambda leads: ("ok", "One leads.") if leads else ("down", "None leads. Start one: ovd appcore."),
    )
    return {"database": database, "appcore": appcore, "runner": _runner(now, appcore["status"] == "ok")}


def _asked(ask: Callable[[], Any], judge: Callable[[Any], tuple[str, str]]) -> dict[str, Any]:
    start = time.perf_counter()
    try:
        status, detail = judge(ask())
    except Error as error:
        status, detail = "down", f"It does not answer ({type(error).__name__})."
    return {"status": status, "detail": detail, "seconds": round(time.perf_counter() - start, 6)}


def _runner(now: datetime, is_watched: bool) -> dict[str, Any]:
    there = list(liveness.runners())
    up = [runner for runner in there if runner.is_up and _age(runner, now) <= STALE_SECONDS]
    age = min((_age(runner, now) for runner in there), default=float("inf"))
    part: dict[str, Any] = {"age_seconds": None if age == float("inf") else round(age, 3)}
    if up:
        return {"status": "ok", "detail": f"{len(up)} of {len(there)} up.", **part}
    if not is_watched:
        return {"status": "unknown", "detail": "Without an AppCore nobody watches runners.", **part}
    return {"status": "down", "detail": "None is up. Start one: ovd runner.", **part}


def _age(runner: Runner, now: datetime) -> float:
    return max((now - runner.seen_at).total_seconds(), 0.0) if runner.seen_at else float("inf")


def _describe(runner: Runner, room: machines.Room, caller: Caller) -> dict[str, Any]:
    templates = machines.templates(runner, caller)
    return {
        "name": runner.name,
        "is_up": runner.is_up,
        "seen_at": runner.seen_at,
        "drained": _drained(runner),
        "cpus": runner.facts.get("cpus"),
        "memory_mb": runner.facts.get("memory_mb"),
        "platform": runner.facts.get("platform"),
        "python": runner.facts.get("python"),
        "walls": [asdict(wall) | {"stands": wall.stands} for wall in walls.of(runner.facts.get("walls") or {})],
        "memory": {
            "total_mb": room.total_mb,
            "held_mb": room.held_mb,
            "free_mb": room.free_mb,
            "waiting": room.waiting,
            "templates_mb": round(templates.held_mb, 1),
            "templates_most_mb": templates.budget_mb,
        },
        "templates": [asdict(template) for template in templates.seen],
        "processes": [_process(row) for row in liveness.processes_on([runner], caller)],
    }


def _process(process: Process) -> dict[str, Any]:
    return {
        "id": str(process.pk),
        "kind": process.kind,
        "application": process.application.address,
        "release": process.release.number,
        "state": process.state,
        "concurrency": process.concurrency,
        "pid": process.pid,
        "memory_mb": process.memory_mb,
        "how": process.how,
        "started_at": process.started_at,
        "ready_at": process.ready_at,
        "ready_seconds": process.ready_seconds,
    }
