"""Processes: start, drain, and take note of what the runner tells. Floor 2: may use store, files, engines, domain."""

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID, uuid4

import structlog
from django.db import transaction

from ovd_saas.appcore import releases
from ovd_saas.domain import processes as states
from ovd_saas.domain import service, status
from ovd_saas.domain.plan import retry_delay
from ovd_saas.engines import base
from ovd_saas.engines.base import Engine
from ovd_saas.files import store as files
from ovd_saas.store import transitions
from ovd_saas.store.notices import notify
from ovd_saas.store.records import Application, Process, Release, Runner

log = structlog.get_logger()
CHUNK = 1 << 20  # bytes
MOST_TRIES = 3  # of a release that is to take over; then it is dropped
DRAIN_SECONDS = 30.0  # beyond the longest execution, then the process is killed


def start(
    *, engine: Engine, application: Application, release: Release, runner: Runner, now: datetime
) -> Process | None:
    """Afterwards a row says `starting`, and the runner starts it, or the row says why it ended.

    None when the application may not be served any more: somebody suspended it a moment ago.
    Raises engines.base.NotPrepared and RunnerDown.
    """
    process = _row(application, release, runner, now)
    if process is None:
        return None
    resources = release.manifest.get("resources", {})
    try:
        started = engine.start(
            process=str(process.pk),
            release=release.digest,
            environment=release.environment,
            concurrency=process.concurrency,
            memory_mb=int(resources.get("memory_mb", 512)),
            cpus=float(resources.get("cpus", 1)),
            disk_mb=int(resources.get("disk_mb", 256)),
        )
    except base.RunnerDown as error:
        end(process_id=process.pk, reason=str(error), now=now, counts=False)
        raise
    except base.NotPrepared:
        end(process_id=process.pk, reason="Its release is prepared on this machine first.", now=now, counts=False)
        raise
    except base.EngineError as error:
        end(process_id=process.pk, reason=str(error), now=now)
    else:
        address = {"pid": started.pid, "address": started.address}
        if not Process.objects.filter(pk=process.pk).exclude(state=states.ENDED).update(**address):
            engine.stop(str(process.pk), 0)
        notify("processes", application=application.pk)
    process.refresh_from_db()
    return process


@transaction.atomic
def _row(application: Application, release: Release, runner: Runner, now: datetime) -> Process | None:
    """The row of a process that is about to start, made while nobody can suspend its application."""
    served = Application.objects.select_for_update().filter(
        pk=application.pk, status=status.ENABLED, service__in=(service.WAKING, service.AWAKE)
    )
    if not served.exists():
        return None
    concurrency = int(release.manifest.get("execute", {}).get("concurrency", 1))
    return Process.objects.create(
        id=uuid4(), application=application, release=release, runner=runner, concurrency=concurrency, started_at=now
    )


def prepare_again(*, engine: Engine, release: Release) -> None:
    """Afterwards the runner can start the release; for a machine that lost, or never had, its files."""
    engine.prepare(release.digest, archive(release.digest), lambda text: None)


def archive(digest: str) -> Iterator[bytes]:
    """The bytes of a release's archive, in chunks."""
    with files.open(digest) as file:
        while chunk := file.read(CHUNK):
            yield chunk


def drain(*, engine: Engine, process_id: UUID, reason: str, now: datetime) -> None:
    """Afterwards it takes no more, finishes what it runs, and ends."""
    transitions.process(process_id, states.DRAIN, now=now, end_reason=reason)
    execute = Process.objects.values_list("release__manifest__execute", flat=True).get(pk=process_id) or {}
    engine.stop(str(process_id), float(execute.get("timeout") or 0) + DRAIN_SECONDS)


@transaction.atomic
def answer(*, process_id: UUID, now: datetime) -> None:
    """The process is ready: take note, once. Its application starts, so earlier failures no longer count.

    A process of the upcoming release makes that the current one in the same moment.
    """
    if not transitions.process(process_id, states.ANSWER, now=now, ready_at=now):
        return
    rows = Application.objects.select_for_update(of=("self",)).select_related("release", "upcoming__created_by")
    application = rows.get(processes=process_id)
    Application.objects.filter(pk=application.pk).update(start_failures=0, retry_at=None)
    upcoming = application.upcoming
    if upcoming is not None and Process.objects.filter(pk=process_id, release=upcoming).exists():
        by = f"user:{upcoming.created_by.get_username()}" if upcoming.created_by else "appcore"
        releases.take_over(application=application, release=upcoming, by=by, now=now)


@transaction.atomic
def end(*, process_id: UUID, reason: str, now: datetime, counts: bool = True) -> None:
    """The process is gone: take note, once. One that ended while starting counts as a failed start."""
    process = Process.objects.filter(pk=process_id).first()
    if process is None:
        return
    wanted = process.condemned or (process.end_reason if process.state == states.DRAINING else "")
    before = transitions.process(process_id, states.END, now=now, ended_at=now, end_reason=wanted or reason)
    if before == states.STARTING and counts and not wanted:
        _count_failure(process.application_id, reason, now, release_id=process.release_id)
    if before is not None:
        log.info("process ended", process=str(process_id), application=process.application_id, reason=wanted or reason)


@transaction.atomic
def refuse(*, release: Release, reason: str, now: datetime) -> None:
    """It could not be started: take note. Enough of these in a row make its application faulty."""
    _count_failure(release.application_id, reason, now, release_id=release.pk)


def _count_failure(application_id: int, reason: str, now: datetime, *, release_id: int) -> None:
    """Of the current release: towards being faulty. Of the upcoming one: towards being dropped."""
    rows = Application.objects.select_for_update(of=("self",)).select_related("release", "upcoming")
    application = rows.get(pk=application_id)
    if application.upcoming is not None and release_id == application.upcoming_id:
        _count_upcoming(application, application.upcoming, reason, now)
        return
    failures = application.start_failures + 1
    Application.objects.filter(pk=application_id).update(
        start_failures=failures, retry_at=now + retry_delay(failures), reason=f"Its last start failed: {reason}"
    )


def _count_upcoming(application: Application, upcoming: Release, reason: str, now: datetime) -> None:
    tried = Process.objects.filter(application=application, release=upcoming, state=states.ENDED, ready_at=None)
    failures = tried.count()
    if failures >= MOST_TRIES:
        releases.drop_upcoming(application=application, reason=reason, now=now)
    else:
        Application.objects.filter(pk=application.pk).update(retry_at=now + retry_delay(failures))


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
