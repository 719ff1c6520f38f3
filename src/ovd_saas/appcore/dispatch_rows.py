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


def living(applications: Collection[int] | None) -> list[Living]:
    """The serving processes of these applications, or of all. One that is starting takes connections already."""
    rows = Process.objects.filter(kind=Process.SERVE, state__in=processes.LIVING).exclude(address="")
    if applications is not None:
        rows = rows.filter(application_id__in=applications)
    return [_living(row) for row in rows.select_related("release", "model", "runner", "application")]


def _living(row: Process) -> Living:
    is_current = (row.release_id, row.model_id) == (row.application.release_id, row.application.model_id)
    return Living(
        id=row.pk,
        application_id=row.application_id,
        release=served(row.release),
        model=ServedModel(row.model.pk, row.model.number, row.model.digest) if row.model else None,
        address=row.address,
        concurrency=row.concurrency,
        hardware=hardware(row.runner),
        is_open=row.state == processes.READY and not row.condemned and is_current,
        is_coming=row.state == processes.STARTING and not row.condemned,
    )


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
    )
