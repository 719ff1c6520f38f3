"""Processes: start, drain, and take note of what the runner tells. Floor 2: may use store, files, engines, domain."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import structlog
from django.db import transaction
from django.db.models import QuerySet

from ovd_saas.appcore import editions, failed_starts, models, network, releases, supplies
from ovd_saas.appcore.refusals import NotFound, Refusal
from ovd_saas.domain import admission, learning_runs, service, status
from ovd_saas.domain import processes as states
from ovd_saas.domain.admission import Memory
from ovd_saas.engines import base
from ovd_saas.engines.base import Engine
from ovd_saas.files import Missing
from ovd_saas.store import facts, memory, transitions
from ovd_saas.store.notices import notify
from ovd_saas.store.records import Application, LearningRun, ModelVersion, Process, Release, Runner

log = structlog.get_logger()
PATIENCE = timedelta(seconds=10)  # until what the runner says of a process counts as not heard, rather than as late
EVICTED = "Evicted by"  # how the reason of a process begins that a person wants ended
DRAIN_SECONDS = 30.0  # beyond the longest execution, then the process is killed


class NoRoom(Exception):
    """The machine has too little memory for it now; the text says so."""


class NotEvictable(Refusal):
    """The process is not there to be ended, or has to be ended in another way."""

    code = "not_evictable"


class TooLarge(Exception):
    """The machine will never have the memory for it; the text says so, and what to do."""


def start(
    *,
    engine: Engine,
    application: Application,
    release: Release,
    model: ModelVersion | None,
    runner: Runner,
    now: datetime,
) -> Process | None:
    """Afterwards a row says `starting`, and the runner starts a serving process, or the row says why it ended.

    None when the application may not be served any more: somebody suspended it a moment ago.
    Raises engines.base.NotPrepared, NoModel and RunnerDown, NoRoom, TooLarge.
    """
    process = _row(application, release, model, runner, now)
    if process is None:
        return None
    try:
        started = engine.start(process=str(process.pk), **asked(application, release, model))
    except (base.NotPrepared, base.NoModel):
        process.delete()  # it never was
        raise
    except base.RunnerDown as error:
        end(process_id=process.pk, reason=str(error), now=now, counts=False)
        raise
    except base.EngineError as error:
        end(process_id=process.pk, reason=str(error), now=now)
    else:
        _note_address(engine, process, started)
    process.refresh_from_db()
    return process


def start_task(
    *,
    engine: Engine,
    application: Application,
    release: Release,
    model: ModelVersion | None,
    run: LearningRun | None,
    kind: str,
    runner: Runner,
    limits: Mapping[str, float],
    now: datetime,
) -> Process | None:
    """Afterwards a row says `starting`, and the runner starts a process that does one task, set up with the model.

    `kind` is `learn` or `evaluate`, `limits` has memory_mb, cpus and disk_mb, and may have start_seconds. What the
    machine lacks is brought to it first, which may take minutes. None when the run is not open any more, or the
    application is not enabled. Raises NoRoom, TooLarge; engines.base.EngineError, files.Missing: then the row has
    ended, with the reason.
    """
    process = _task_row(application, release, model, run, kind, runner, int(limits["memory_mb"]), now)
    if process is None:
        return None
    hosts = network.granted(application, release)
    try:
        started = supplies.supplied(
            lambda: engine.start(
                process=str(process.pk),
                release=release.digest,
                environment=release.environment,
                model=model.digest if model else None,
                task=True,
                memory_mb=int(limits["memory_mb"]),
                cpus=float(limits["cpus"]),
                disk_mb=int(limits["disk_mb"]),
                gpus=float(release.manifest.get("resources", {}).get("gpus", 0)),
                start_seconds=limits.get("start_seconds"),
                background=True,
                hosts=hosts,
                **_birth(release),
            ),
            engine=engine,
            release=release,
            model=model,
        )
    except (base.EngineError, Missing) as error:
        end(process_id=process.pk, reason=str(error), now=now)
        raise
    _note_address(engine, process, started)
    process.refresh_from_db()
    return process


def _birth(release: Release) -> dict[str, Any]:
    """How its manifest wants a process to begin; the modules were settled when it was prepared."""
    sleep = release.manifest.get("sleep") or {}
    return {"preload": tuple(sleep.get("preload") or ()), "fork": sleep.get("wake", "fork") == "fork"}


def asked(application: Application, release: Release, model: ModelVersion | None) -> dict[str, Any]:
    """What an engine is asked for, for a serving process."""
    resources = release.manifest.get("resources", {})
    return {
        "release": release.digest,
        "environment": release.environment,
        "model": model.digest if model else None,
        "concurrency": int(release.manifest.get("execute", {}).get("concurrency", 1)),
        "memory_mb": int(resources.get("memory_mb", 512)),
        "cpus": float(resources.get("cpus", 1)),
        "disk_mb": int(resources.get("disk_mb", 256)),
        "gpus": float(resources.get("gpus", 0)),
        "hosts": network.granted(application, release),
        **_birth(release),
    }


def _note_address(engine: Engine, process: Process, started: base.Started) -> None:
    """Where it is; one whose row has ended meanwhile is not wanted any more."""
    address = {"pid": started.pid, "address": started.address}
    if not Process.objects.filter(pk=process.pk).exclude(state=states.ENDED).update(**address):
        engine.stop(str(process.pk), 0)
    notify("processes", application=process.application_id)


@transaction.atomic
def _row(
    application: Application, release: Release, model: ModelVersion | None, runner: Runner, now: datetime
) -> Process | None:
    """The row of a process that is about to start, made while nobody can suspend its application or take the memory
    that it holds from now on. Raises NoRoom, TooLarge."""
    served = Application.objects.select_for_update().filter(
        pk=application.pk, status=status.ENABLED, service__in=(service.WAKING, service.AWAKE)
    )
    if not served.exists():
        return None
    needs = facts.memory_mb(release.manifest)
    _admit(needs, runner)
    concurrency = int(release.manifest.get("execute", {}).get("concurrency", 1))
    return Process.objects.create(
        id=uuid4(), application=application, release=release, model=model, runner=runner, concurrency=concurrency,
        memory_mb=needs, started_at=now,
    )  # fmt: skip


def _admit(needs_mb: int, runner: Runner, *, after_others: datetime | None = None) -> None:
    """Called in the transaction that makes the row; with the moment `after_others`, whoever waits comes first. Raises
    NoRoom, TooLarge."""
    total = memory.total_mb(runner)
    if total is None:
        return
    if admission.is_too_large(needs_mb, total):
        raise TooLarge(admission.why_too_large(needs_mb, total))
    there: Memory | None = Memory(total, held_mb=memory.locked(runner))
    if after_others is not None:
        there = memory.standing(runner, now=after_others)
    if there is not None and (why := admission.why_wait(needs_mb, there, application=None, since=None)):
        raise NoRoom(why)


@transaction.atomic
def _task_row(
    application: Application,
    release: Release,
    model: ModelVersion | None,
    run: LearningRun | None,
    kind: str,
    runner: Runner,
    needs_mb: int,
    now: datetime,
) -> Process | None:
    """The row of a task process that is about to start, made while nobody can end its run, suspend it, or take the
    memory that it holds from now on. Raises NoRoom, TooLarge."""
    enabled = Application.objects.select_for_update().filter(pk=application.pk, status=status.ENABLED)
    if not enabled.exists():
        return None
    if run is not None and not LearningRun.objects.filter(pk=run.pk, status__in=learning_runs.OPEN).exists():
        return None
    _admit(needs_mb, runner, after_others=now)
    return Process.objects.create(
        id=uuid4(), application=application, release=release, model=model, runner=runner, kind=kind, run=run,
        memory_mb=needs_mb, started_at=now,
    )  # fmt: skip


def drain(*, engine: Engine, process_id: UUID, reason: str, now: datetime) -> None:
    """Afterwards it takes no more, finishes what it runs, and ends. The only process that can serve an awake
    application goes on: it became the current one a moment ago."""
    if not _begin_to_drain(process_id, reason, now):
        return
    process = Process.objects.select_related("release").get(pk=process_id)
    engine.stop(str(process_id), drain_seconds(process))


@transaction.atomic
def evict(*, process_id: UUID, by: str, now: datetime) -> Process:
    """Afterwards it takes no more; AppCore has it end when what it runs is finished, and the next request wakes the
    application again. Raises NotFound, NotEvictable."""
    process = (
        Process.objects.select_related("application__organisation", "run")
        .defer("run__log")
        .filter(pk=process_id)
        .first()
    )
    if process is None:
        raise NotFound("There is no such process.")
    address = process.application.address
    if process.kind != Process.SERVE:
        what = f"learning run {process.run.number}" if process.run else "the watch after a promotion"
        cure = f" Cancel {what} instead." if process.run else " It ends by itself in a moment."
        raise NotEvictable(f"This process of {address} works for {what}.{cure}")
    reason = f"{EVICTED} {by.removeprefix('user:')}."
    before = transitions.process(process_id, states.DRAIN, now=now, end_reason=reason)
    if before is None:
        process.refresh_from_db()
        is_over = process.state == states.ENDED
        raise NotEvictable(f"This process of {address} {'has ended' if is_over else 'is ending'} already.")
    process.refresh_from_db()
    return process


def drain_seconds(process: Process) -> float:
    """How long it may take to finish what it runs, before it is killed. Read it with its release."""
    execute = process.release.manifest.get("execute") or {}
    longest = float(execute.get("timeout") or 0) if process.kind == Process.SERVE else 0.0
    return longest + DRAIN_SECONDS


@transaction.atomic
def _begin_to_drain(process_id: UUID, reason: str, now: datetime) -> bool:
    process = Process.objects.get(pk=process_id)
    if process.kind == Process.SERVE and process.state == states.READY:
        application = editions.locked(process.application_id)
        is_current = (process.release_id, process.model_id) == (application.release_id, application.model_id)
        if is_current and application.service == service.AWAKE and not _others(process).exists():
            return False
    transitions.process(process_id, states.DRAIN, now=now, end_reason=reason)
    return True


def _others(process: Process) -> QuerySet[Process]:
    """Further processes that serve the same edition."""
    same = Process.objects.filter(
        application=process.application_id, release=process.release_id, model=process.model_id
    )
    return same.filter(kind=Process.SERVE, state=states.READY, condemned="").exclude(pk=process.pk)


@transaction.atomic
def answer(*, process_id: UUID, now: datetime, told: base.Ready | None = None) -> None:
    """The process is ready: take note, once, with what the runner told of its birth, if it was heard. Its application
    starts, so earlier failures no longer count.

    What is upcoming, and in the process, is current from this moment on: release, model version, or both.
    """
    birth: dict[str, Any] = {"how": told.how, "ready_seconds": told.seconds} if told else {}
    if told is not None and told.pid is not None:
        birth["pid"] = told.pid
    if not transitions.process(process_id, states.ANSWER, now=now, ready_at=now, **birth):
        return
    if transitions.starts(process_id):
        return
    process = Process.objects.get(pk=process_id)
    if process.kind != Process.SERVE:
        _tell_run(process)
        return
    application = editions.locked(process.application_id)
    if not editions.may_take_over(application, process.release_id, process.model_id):
        return
    if process.model_id != application.model_id:
        models.take_over(application=application, now=now)
    if process.release_id != application.release_id and application.upcoming is not None:
        upcoming = application.upcoming
        by = f"user:{upcoming.created_by.get_username()}" if upcoming.created_by else "appcore"
        releases.take_over(application=application, release=upcoming, by=by, now=now)


@transaction.atomic
def end(*, process_id: UUID, reason: str, now: datetime, counts: bool = True) -> None:
    """The process is gone: take note, once. A serving one that ended while starting counts as a failed start."""
    process = Process.objects.filter(pk=process_id).first()
    if process is None:
        return
    wanted = process.condemned or (process.end_reason if process.state == states.DRAINING else "")
    before = transitions.process(process_id, states.END, now=now, ended_at=now, end_reason=wanted or reason)
    if before is None:
        return
    log.info("process ended", process=str(process_id), application=process.application_id, reason=wanted or reason)
    if process.kind != Process.SERVE:
        _tell_run(process)
    elif before == states.STARTING and counts and not wanted:
        failed_starts.count(
            application_id=process.application_id, release_id=process.release_id, model_id=process.model_id,
            reason=reason, now=now,
        )  # fmt: skip


def _tell_run(process: Process) -> None:
    notify("learning", application=process.application_id, run=process.run_id)


@transaction.atomic
def refuse(*, release: Release, model: ModelVersion | None, reason: str, now: datetime) -> None:
    """It could not be started: take note. Enough of these in a row make its application faulty."""
    failed_starts.count(
        application_id=release.application_id, release_id=release.pk, model_id=model.pk if model else None,
        reason=reason, now=now,
    )  # fmt: skip


def strangers(living: set[str]) -> set[str]:
    """Those of these processes that no row tells of."""
    known = Process.objects.filter(pk__in=living).exclude(state=states.ENDED).values_list("pk", flat=True)
    return living - {str(id_) for id_ in known}


def make_up(*, runner: Runner, living: Iterable[base.Process], now: datetime) -> None:
    """Those of these processes that are ready, and whose rows do not say so although they had the time, are noted: what
    the runner told of them was lost."""
    ready = [UUID(process.process) for process in living if process.state == "ready"]
    rows = Process.objects.filter(pk__in=ready, runner=runner, state=states.STARTING, started_at__lt=now - PATIENCE)
    for process_id in rows.values_list("pk", flat=True):
        log.warning("a process was ready and nobody knew", process=str(process_id))
        answer(process_id=process_id, now=now)


def missing(*, runner: Runner, living: set[str]) -> set[UUID]:
    """Those that began there and have not ended, as rows say, and are not among the living."""
    rows = Process.objects.filter(runner=runner).exclude(state=states.ENDED).exclude(address="")
    return {id_ for id_ in rows.values_list("pk", flat=True) if str(id_) not in living}


def reconcile(*, engine: Engine, runner: Runner, living: base.Connected, now: datetime) -> None:
    """After a (re)connection: rows and the runner's processes agree; what only one side knows, ends."""
    known = {UUID(process.process): process for process in living.processes}
    told = {UUID(exited.process): exited.message for exited in living.exits}
    rows = Process.objects.filter(runner=runner).exclude(state=states.ENDED)
    for process_id, state in rows.values_list("pk", "state"):
        there = known.pop(process_id, None)
        if there is None:
            message = told.get(process_id, "Its runner went away, and it with it.")
            end(process_id=process_id, reason=message, now=now, counts=process_id in told)
            continue
        # whoever started it may have died before it could write where it is
        Process.objects.filter(pk=process_id, address="").update(pid=there.pid, address=there.address)
        if there.state == "ready" and state == states.STARTING:
            answer(process_id=process_id, now=now)
        elif state == states.DRAINING:
            drain(engine=engine, process_id=process_id, reason="It was draining.", now=now)
    for stranger in known:
        engine.stop(str(stranger), 0)
