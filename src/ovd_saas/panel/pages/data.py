"""Data: what came into an application, batch by batch, from where, and how far it has drifted. Floor 3."""

import json
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from ovd import sniff
from ovd_saas.appcore import access
from ovd_saas.appcore import batches as verbs
from ovd_saas.appcore.refusals import Refusal
from ovd_saas.assets import answers, figures, found, kinds, looks
from ovd_saas.assets.fragments import show as shown
from ovd_saas.assets.kinds import PICTURES
from ovd_saas.files import Missing
from ovd_saas.files import store as files
from ovd_saas.panel import drift_words, schema_rows
from ovd_saas.panel.learning_words import manifest_part
from ovd_saas.panel.pages.files import chunks, disposition
from ovd_saas.panel.tabs import Tab
from ovd_saas.store.queries import panel, received
from ovd_saas.store.queries.batches import why_no_sample
from ovd_saas.store.records import Application, Batch

PER_PAGE = 10
FIRST = 20  # samples that the page of a batch shows
READ = 1 << 20  # bytes of a batch that its page reads at most
SPANS = {
    "hour": ("1 hour", timedelta(hours=1)),
    "day": ("24 hours", timedelta(days=1)),
    "week": ("7 days", timedelta(days=7)),
    "month": ("30 days", timedelta(days=30)),
    "all": ("All", None),
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
    schema = row.release.schema if row.release else {}
    page = received.batches(row, before=before, limit=PER_PAGE)
    return {
        "learn": learn,
        "totals": totals,
        "least": learn.get("min_samples", 1),
        "spans": [(key, words, key == span) for key, (words, _) in SPANS.items()],
        "span": span,
        "received": _received(row, totals, span, now),
        "batches": [(batch, received.status(batch)) for batch in page.items],
        "older": page.next,
        "is_first": before is None,
        "sources": _sources(row, learn),
        "source_files": received.source_files(row, limit=8) if learn.get("sources") else [],
        "fields": schema_rows.of(schema.get("sample") or {}),
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


@login_required
@require_safe
def show(request: HttpRequest, org: str, name: str, number: int) -> HttpResponse:
    """One batch: where it came from, what became of it, its first samples."""
    by = found.caller(request)
    application = found.application(by, org, name)
    row = _batch(application, number)
    schema = (application.release.schema if application.release else {}).get("sample") or {}
    context = {
        "here": "applications",
        "application": application,
        "batch": row,
        "status": received.status(row),
        "first": _first_samples(row, schema),
        "models": verbs.models_of(row),
        "may_take_down": row.taken_down_at is None and access.may(by, access.OPERATE, org),
        "content": f"/api/v1/applications/{org}/{name}/batches/{number}/content",
    }
    return shown(request, "panel/batch", context)


def _first_samples(batch: Batch, schema: dict[str, Any]) -> dict[str, Any] | None:
    """The first samples as a table, its columns in the order of the schema; None when the bytes are gone."""
    if batch.taken_down_at is not None:
        return None
    try:
        with files.open(batch.digest) as opened:
            lines = opened.read(READ).split(b"\n")
    except Missing:
        return None
    whole = lines[:-1] or lines  # the last one may be cut off
    samples = [one for one in map(_parsed, whole[:FIRST]) if isinstance(one, dict)]
    properties = schema.get("properties", {})
    there = {name for sample in samples for name in sample}
    columns = [name for name in kinds.ordered(properties) if name in there]
    columns += [name for sample in samples for name in sample if name not in columns]
    columns = list(dict.fromkeys(columns))
    return {
        "columns": columns,
        "rows": [[_cell(batch, sample.get(name)) for name in columns] for sample in samples],
        "rest": batch.samples - len(samples),
    }


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _cell(batch: Batch, value: Any) -> dict[str, Any]:
    """A value of a sample: a picture, a file, or its text."""
    if isinstance(value, dict) and "digest" in value and "media_type" in value:
        address = [batch.application.organisation.slug, batch.application.name, batch.number, value["digest"]]
        url = reverse("panel:batch_file", args=address) if value["digest"] in batch.files else ""
        return {"file": value, "url": url, "is_picture": value["media_type"] in PICTURES}
    if isinstance(value, dict | list):
        text = json.dumps(value, ensure_ascii=False)
        return {"text": text if len(text) <= 80 else text[:77] + "…"}
    return {"value": value}


@login_required
@require_safe
def file(request: HttpRequest, org: str, name: str, number: int, digest: str) -> HttpResponseBase:
    """The bytes of a file that a sample of this batch names. Only pictures open in the page; the rest is saved."""
    row = _batch(found.application(found.caller(request), org, name), number)
    if row.taken_down_at is not None or digest not in row.files:
        raise Http404("This batch has no such file.")
    try:
        size, opened = files.size(digest), files.open(digest)
        head = opened.read(sniff.HEAD)
        opened.seek(0)
    except Missing:
        raise Http404("The file is no longer stored.") from None
    proved = sniff.recognise(head)
    is_picture = proved in PICTURES
    content_type = proved if is_picture else "application/octet-stream"
    answer = StreamingHttpResponse(chunks(opened), content_type=content_type)
    answer["Content-Length"] = str(size)
    answer["Content-Disposition"] = disposition(digest.removeprefix("sha256:")[:12], is_picture)
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cache-Control"] = "private, max-age=86400, immutable"
    return answer


@login_required
@require_POST
def take_down(request: HttpRequest, org: str, name: str, number: int) -> HttpResponse:
    """Removes the bytes, keeps the row, and names the versions that learned from it."""
    by = found.caller(request)
    row = _batch(found.application(by, org, name, access.OPERATE), number)
    back = reverse("panel:batch", args=[org, name, number])
    try:
        models = verbs.take_down(batch=row, by=by.actor, now=timezone.now())
    except Refusal as refusal:
        return answers.refused(request, refusal, back=back)
    said = f"Batch {number} is taken down: its samples are gone, its row stays."
    if models:
        numbers = ", ".join(str(model.number) for model in models)
        said += f" {'Version' if len(models) == 1 else 'Versions'} {numbers} learned from it and still know it."
    return answers.done(request, said, back=back)


def _batch(application: Application, number: int) -> Batch:
    row = received.batch(application, number)
    if row is None:
        raise Http404("No such batch.")
    row.application = application
    return row
