"""Intake from the archive: succeeded executions with consent become samples, each once. Floor 2.

Exact and safe from crashes: an execution's row says what became of it (`sampled`), and says it in the transaction that
makes the batch.
"""

from datetime import datetime
from typing import Any

from django.db import transaction

from ovd.schema import FieldError, StoredFile, accept_sample
from ovd_saas.appcore import batches, intake
from ovd_saas.appcore.intake import Rules
from ovd_saas.appcore.intake_check import written
from ovd_saas.files import Missing, store
from ovd_saas.store.queries import batches as queries
from ovd_saas.store.queries.executions import file_digests, is_file
from ovd_saas.store.records import Application, Batch, Execution

AT_ONCE = 1000  # executions in one batch
HEAD = 4096  # bytes of a file that are looked at
LONGEST_WHY = 300  # characters


@transaction.atomic
def gather(application: Application, *, now: datetime) -> Batch | None:
    """Afterwards up to AT_ONCE executions of the application are samples of a new batch, or say why they are none; the
    batch. Read it with `select_related("organisation", "release")`. Raises NotLearning."""
    rules = intake.rules_of(application)
    ids = queries.unsampled(application.pk, AT_ONCE)
    rows = Execution.objects.select_for_update(skip_locked=True, no_key=True).filter(pk__in=ids, sampled__isnull=True)
    lines: list[bytes] = []
    taken: list[Any] = []
    files: set[str] = set()
    for execution in rows.filter(taken_down_at=None).defer("log").order_by("finished_at", "id"):
        sample, errors = sample_of(execution, rules, {})
        if errors:
            why = " ".join(f'"{error.field}" {error.message}' for error in errors[:3])[:LONGEST_WHY]
            Execution.objects.filter(pk=execution.pk).update(sampled={"why": why})
            continue
        lines.append(written(sample))
        taken.append(execution.pk)
        files.update(digests_in(sample, execution))
    if not lines:
        return None
    content = b"".join(lines)
    digest = store.put(content)
    delivered = intake.Delivered(
        digest=digest,
        size=len(content),
        samples=len(lines),
        received=digest,
        media_type=intake.JSON_LINES,
        files=sorted(files),
        origin={"executions": [str(id_) for id_ in taken]},
    )
    batch, _ = batches.receive(
        application_id=application.pk, delivered=delivered, kind=batches.EXECUTION, sender=batches.APPCORE, now=now
    )
    Execution.objects.filter(pk__in=taken).update(sampled={"batch": batch.number})
    return batch


def sample_of(execution: Execution, rules: Rules, label: dict[str, Any]) -> tuple[dict[str, Any], list[FieldError]]:
    """The sample that the execution makes with these members of a label: each field from the label, else from the
    inputs, else from the outputs, by its name; and all that is wrong with it."""
    properties = rules.sample["properties"]
    archived = {**(execution.outputs or {}), **execution.inputs}
    used = {
        name: value for name, value in archived.items() if name not in label and (name in properties or not properties)
    }
    try:
        files = {file["digest"]: _stored(file) for file in used.values() if isinstance(file, dict) and is_file(file)}
    except Missing:
        return {}, [FieldError("", "A file of the execution is no longer stored.")]
    return accept_sample(rules.sample, used | label, files)


def _stored(file: dict[str, Any]) -> StoredFile:
    """Raises Missing."""
    with store.open(file["digest"]) as opened:
        head = opened.read(HEAD)
    return StoredFile(str(file.get("name", "")), str(file["media_type"]), int(file["size"]), file["digest"], head)


def digests_in(sample: dict[str, Any], execution: Execution) -> set[str]:
    """Of the files of the execution that a sample names; what else looks like a file is what somebody wrote."""
    named = {value["digest"] for value in sample.values() if isinstance(value, dict) and is_file(value)}
    return named & file_digests(execution)
