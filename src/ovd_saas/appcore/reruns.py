"""Reruns: an execution once more, with the same inputs and the same seed. Floor 2: may use store, files.

The new one runs on what is current: a newer release or model version may answer differently, and that is on record.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from ovd.schema import FieldError, accept
from ovd.uploads import FileHead
from ovd_saas.appcore import executions
from ovd_saas.appcore.refusals import NotFound, Refusal
from ovd_saas.domain import executions as states
from ovd_saas.files import Missing, store
from ovd_saas.store.queries.executions import is_file
from ovd_saas.store.records import Execution, Release

HEAD = 4096  # bytes that tell what a file is


class NotRepeatable(Refusal):
    """Its inputs are gone, or it has not finished yet."""

    code = "not_repeatable"


class InputsNoLongerFit(Refusal):
    """The current release does not take these inputs."""

    code = "invalid"
    http = 422


def why_not(execution: Execution) -> str:
    """Why it cannot run again, a sentence; empty when it can."""
    if execution.taken_down_at is not None:
        return "This execution was taken down: its inputs are gone."
    if execution.status not in states.FINAL:
        return f"This execution is {execution.status}. Wait until it has finished, or cancel it first."
    return ""


def again(*, execution_id: UUID, caller: str, by_id: int | None, now: datetime) -> Execution:
    """Afterwards a new execution with the same inputs and seed is queued, which names this one as its cause.

    Raises NotFound, NotRepeatable, InputsNoLongerFit, and what `executions.submit` raises.
    """
    with transaction.atomic():
        rows = Execution.objects.select_related("application__organisation", "application__release")
        earlier = rows.select_for_update(of=("self",), no_key=True).filter(pk=execution_id).first()
        if earlier is None:
            raise NotFound(f"There is no execution {execution_id}.")
        if why := why_not(earlier):
            raise NotRepeatable(why)
        release = executions.check_accepting(earlier.application, now=now)
        execution, _ = executions.submit(
            application=earlier.application,
            inputs=_fitting(earlier.inputs, release),
            seed=earlier.seed,
            deadline_at=None,
            caller=caller,
            by_id=by_id,
            cause={"kind": "again", "execution": str(earlier.pk)},
            idempotency_key=None,
            request_digest=earlier.request_digest,
            consent=False,  # who runs it again was not asked
            now=now,
        )
    return execution


def _fitting(inputs: dict[str, Any], release: Release) -> dict[str, Any]:
    """The inputs as the release takes them. Raises InputsNoLongerFit, NotRepeatable."""
    files = {name: value for name, value in inputs.items() if isinstance(value, dict) and is_file(value)}
    try:
        heads = {name: _head(value) for name, value in files.items()}
    except Missing:
        raise NotRepeatable("A file of its inputs is no longer stored.") from None
    plain = {name: value for name, value in inputs.items() if name not in files}
    accepted, errors = accept(release.schema["inputs"], plain, heads)
    if errors:
        raise InputsNoLongerFit(
            f"Release {release.number} takes these inputs no more: {_told(errors)} Run it with changes instead.",
            errors=errors,
        )
    return {name: files.get(name, value) for name, value in accepted.items()}


def _head(file: dict[str, Any]) -> FileHead:
    """Raises Missing."""
    with store.open(file["digest"]) as opened:
        return FileHead(str(file.get("name", "")), str(file["media_type"]), int(file["size"]), opened.read(HEAD))


def _told(errors: list[FieldError]) -> str:
    return " ".join(f"“{error.field}” {error.message}" for error in errors[:3])
