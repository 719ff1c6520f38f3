"""Data: what came into an application, over time and batch by batch, from where, and what is made of it. Floor 3."""

from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ovd_saas.appcore import access
from ovd_saas.assets import archive, figures, found, looks, questions
from ovd_saas.panel import drift_words, sample_rows, sample_words, schema_rows
from ovd_saas.panel.learning_words import manifest_part
from ovd_saas.panel.tabs import Tab
from ovd_saas.store.queries import executions, panel, received
from ovd_saas.store.queries.batches import why_no_sample
from ovd_saas.store.records import Application, Batch, Execution

PER_PAGE = 10
FIRST = 5  # samples of the latest batch
TO_LABEL = 4  # executions that ask for a label
SPANS = {
    "hour": (_("1 hour"), timedelta(hours=1)),
    "day": (_("24 hours"), timedelta(days=1)),
    "week": (_("7 days"), timedelta(days=7)),
    "month": (_("30 days"), timedelta(days=30)),
    "all": (_("All"), None),
}


def tab(request: HttpRequest, row: Application) -> dict[str, Any]:
    """What the tab shows."""
    now = timezone.now()
    totals = received.totals(row)
    manifest = row.release.manifest if row.release else {}
    learn = manifest_part(manifest, "learn")
    span = request.GET.get("span", "all")
    span = span if span in SPANS else "all"
    before = request.GET.get("before") or None
    schema = (row.release.schema.get("sample") or {}) if row.release else {}
    page = received.batches(row, before=before, limit=PER_PAGE)
    least = learn.get("min_samples", 1)
    return {
        "learn": learn,
        "totals": totals,
        "least": least,
        "outlook": sample_words.outlook(
            row, panel.lookout(row), came=totals.samples, pending=totals.pending, least=least
        ),
        "spans": [(key, words, key == span) for key, (words, _length) in SPANS.items()],
        "span": span,
        "received": _received(row, totals, span, now),
        "batches": [(batch, received.status(batch)) for batch in page.items],
        "older": page.next,
        "is_first": before is None,
        "latest": _latest(row, page.items, schema) if before is None else None,
        "to_label": _to_label(request, row),
        "sources": _sources(row, learn),
        "source_files": received.source_files(row, limit=8) if learn.get("sources") else [],
        "fields": schema_rows.of(schema),
        "sample_words": sample_words.schema(schema, str(learn.get("label") or "label")),
        "field_kinds": _field_kinds(schema),
        "paste_example": "\t".join(schema.get("properties") or {}),
        "picture_field": _picture_field(schema),
        "label_field": _label_field(row, schema, learn),
        "drift": drift_words.of(panel.drift(row)),
        "no_samples": why_no_sample(row) if learn.get("from_executions") else {},
        "has_drift_rules": bool(manifest.get("drift")),
        "address": request.build_absolute_uri("/").rstrip("/"),
        "api": f"/api/v1/applications/{row.organisation.slug}/{row.name}/intake",
    }


TAB = Tab(
    "data",
    _("Data"),
    "database",
    tab,
    of_learning=True,
    below="panel/application/data_feed.html",
    scripts="panel/application/data_scripts.html",
)


def _latest(row: Application, batches: list[Batch], schema: dict[str, Any]) -> dict[str, Any] | None:
    """The first samples of the newest batch that is still there."""
    batch = next((one for one in batches if one.taken_down_at is None), None)
    if batch is None:
        return None
    batch.application = row
    samples = sample_rows.read(batch, schema, most=FIRST)
    return {"batch": batch, "samples": samples} if samples and samples.rows else None


def _to_label(request: HttpRequest, row: Application) -> list[dict[str, Any]]:
    """Results of which nobody said what was right, each with what is asked. Batches never change: a label makes a new
    sample of an execution, instead of being written into one that was delivered."""
    if not access.may(found.caller(request), access.EXECUTE, row.organisation.slug):
        return []
    asked = [(one, questions.of(one)) for one in executions.unlabelled(row, limit=3 * TO_LABEL)]
    return [_labelled(one, question) for one, question in asked if question is not None][:TO_LABEL]


def _labelled(row: Execution, question: questions.Question) -> dict[str, Any]:
    values = archive.values(row)
    return {"execution": row, "question": question, "inputs": values["inputs"][:2], "outputs": values["outputs"][:2]}


def _field_kinds(schema: dict[str, Any]) -> dict[str, dict[str, str]]:
    """What a script needs to know of each field, to read what was pasted from a spreadsheet."""
    properties = schema.get("properties") or {}
    return {
        name: {"kind": prop.get("x-ovd", {}).get("kind", ""), "label": prop.get("title") or name}
        for name, prop in properties.items()
    }


def _picture_field(schema: dict[str, Any]) -> str:
    """The field that dropped pictures fill, where the schema has exactly one."""
    properties = schema.get("properties") or {}
    names = [name for name, prop in properties.items() if prop.get("x-ovd", {}).get("kind") == "image"]
    return names[0] if len(names) == 1 else ""


def _label_field(row: Application, schema: dict[str, Any], learn: dict[str, Any]) -> dict[str, Any] | None:
    """What all pictures of one delivery may be labelled with; None where a sample needs more than picture and label."""
    properties, name = schema.get("properties") or {}, str(learn.get("label") or "label")
    picture, needed = _picture_field(schema), set(schema.get("required", []))
    if not picture or not needed <= {picture, name}:
        return None
    field = questions.label_field(row.release) if row.release else None
    return {"name": name, "field": field, "is_required": name in needed} if field and name in properties else None


def _received(row: Application, totals: received.Totals, span: str, now: datetime) -> dict[str, Any] | None:
    """The bars of a stretch of time; None before the first batch."""
    if totals.first_at is None:
        return None
    length = SPANS[span][1]
    since = max(now - length, totals.first_at) if span == "all" and length else now - length if length else None
    step, bars = received.bars(row, since or totals.first_at - timedelta(seconds=1), now)
    words = {kind: look.word for kind, look in looks.DELIVERIES.items()}
    return {
        "step": step.total_seconds(),
        "samples": sum(sum(bar.samples.values()) for bar in bars),
        "figure": figures.received([bar.at for bar in bars], [bar.samples for bar in bars], words),
    }


def _sources(row: Application, learn: dict[str, Any]) -> list[dict[str, Any]]:
    declared = learn.get("sources") or []
    counts = received.source_counts(row) if declared else {}
    return [{**one, "counts": counts.get(one["address"], (0, 0, None))} for one in declared]
