"""What the dispatcher reads of the database: living processes, who waits, an execution as an order. Floor 2."""

import socket
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID

from ovd_saas.appcore.digests import canonical, digest
from ovd_saas.appcore.dispatch_process import ServedModel, ServedRelease
from ovd_saas.appcore.dispatch_run import Order
from ovd_saas.domain import executions, processes
from ovd_saas.store import statements
from ovd_saas.store.records import Execution, Process, Release, Runner

FILE_KINDS = ("image", "file")
DISK_MB = 256  # as the runner grants when the manifest says nothing


@dataclass(frozen=True)
class Living:
    """A process that may be talked to."""

    id: UUID
    application_id: int
    release: ServedRelease
    model: ServedModel | None
    address: str
    concurrency: int
    hardware: dict[str, Any]
    is_open: bool  # takes new work
    is_coming: bool  # will take work as soon as it is ready
    is_current: bool  # of the application's current edition
    others_wait: bool  # somebody waits for the application in the database


_LIVING = f"""
    SELECT process.id, process.application_id, process.release_id, {statements.version("release")}, model.id,
        model.number, model.digest, process.address, process.concurrency, process.state, process.condemned <> '',
        (process.release_id, process.model_id) IS NOT DISTINCT FROM (application.release_id, application.model_id),
        EXISTS (SELECT FROM store_execution AS execution
            WHERE execution.application_id = process.application_id AND execution.status = '{executions.QUEUED}'),
        runner.name, runner.facts ->> 'cpu', (runner.facts ->> 'cpus')::bigint, (runner.facts ->> 'memory_mb')::bigint,
        runner.facts ->> 'platform'
    FROM store_process AS process
    JOIN store_application AS application ON application.id = process.application_id
    JOIN store_release AS release ON release.id = process.release_id
    JOIN store_runner AS runner ON runner.id = process.runner_id
    LEFT JOIN store_modelversion AS model ON model.id = process.model_id
    WHERE process.kind = '{Process.SERVE}' AND process.state <> '{processes.ENDED}' AND process.address <> ''"""  # noqa: S608 - constants
_LIVING_OF = f"{_LIVING} AND process.application_id = ANY(%(applications)s)"


def living(applications: Collection[int] | None) -> list[Living]:
    """The serving processes of these applications, or of all. One that is starting takes connections already."""
    if applications is None:
        return [_living(*row) for row in statements.run(_LIVING, {})]
    return [_living(*row) for row in statements.run(_LIVING_OF, {"applications": list(applications)})]


def _living(
    id_: UUID,
    application_id: int,
    release_id: int,
    release_version: str,
    model_id: int | None,
    model_number: int,
    model_digest: str,
    address: str,
    concurrency: int,
    state: str,
    is_condemned: bool,
    is_current: bool,
    others_wait: bool,
    machine: str,
    *facts: Any,
) -> Living:
    named = zip(("cpu", "cpus", "memory_mb", "platform"), facts, strict=True)
    return Living(
        id=id_,
        application_id=application_id,
        release=_served(release_id, release_version),
        model=ServedModel(model_id, model_number, model_digest) if model_id is not None else None,
        address=address,
        concurrency=concurrency,
        hardware=hardware(Runner(name=machine, facts={name: value for name, value in named if value is not None})),
        is_open=state == processes.READY and not is_condemned and is_current,
        is_coming=state == processes.STARTING and not is_condemned,
        is_current=is_current,
        others_wait=others_wait,
    )


@lru_cache(maxsize=1000)
def _served(release_id: int, version: str) -> ServedRelease:
    """A release is large, and read once as long as its row stays the same."""
    return served(Release.objects.get(pk=release_id))


def served(release: Release) -> ServedRelease:
    timeout = release.manifest.get("execute", {}).get("timeout")
    properties = release.schema.get("inputs", {}).get("properties", {})
    files = (name for name, prop in properties.items() if prop.get("x-ovd", {}).get("kind") in FILE_KINDS)
    return ServedRelease(
        id=release.pk,
        number=release.number,
        digest=release.digest,
        environment=release.environment,
        timeout=float(timeout) if timeout else None,
        file_inputs=frozenset(files),
        outputs=release.schema.get("outputs", {}).get("properties", {}),
        disk_mb=float(release.manifest.get("resources", {}).get("disk_mb") or DISK_MB),
    )


def hardware(runner: Runner) -> dict[str, Any]:
    """What executions on this machine ran on, as far as it is known."""
    known = {key: runner.facts[key] for key in ("cpu", "cpus", "memory_mb", "platform") if key in runner.facts}
    if "cpu" not in known and runner.name == socket.gethostname() and (cpu := cpu_model()):
        known["cpu"] = cpu
    return {"machine": runner.name, **known}


@lru_cache(maxsize=1)
def cpu_model() -> str:
    """The processor of this machine, as it calls itself; empty when it does not."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def queued_among(applications: list[int], *, before: datetime) -> list[int]:
    """Those of these applications for which somebody has waited since `before`."""
    rows = Execution.objects.filter(application_id__in=applications, status=executions.QUEUED, created_at__lte=before)
    return list(rows.order_by().values_list("application_id", flat=True).distinct())


def order(execution: Execution) -> Order:
    """What is to be executed, of an execution that was claimed."""
    return Order(
        id=execution.pk,
        application_id=execution.application_id,
        inputs=execution.inputs,
        input_digest=digest(canonical(execution.inputs)),
        seed=execution.seed,
        created_at=execution.created_at,
        deadline_at=execution.deadline_at,
        caller=execution.caller,
        by_id=execution.created_by_id,
        cause=execution.cause,
        request_digest=execution.request_digest,
        consent=execution.consent,
        lease=execution.lease,
        attempts=execution.attempts,
        started_at=execution.started_at,
    )
