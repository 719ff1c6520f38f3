"""Executions: one of them, with what went in, what came out and how; all of an application, searched. Floor 3."""

from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from ovd_saas.appcore import access, reruns
from ovd_saas.appcore import shares as sharing
from ovd_saas.assets import archive, found, looks, questions
from ovd_saas.assets.fragments import show as shown
from ovd_saas.domain import executions as states
from ovd_saas.panel import execution_filter, execution_words, provenance
from ovd_saas.panel.pages import shares
from ovd_saas.panel.tabs import Tab
from ovd_saas.store.queries import batches, events, executions
from ovd_saas.store.queries import shares as links
from ovd_saas.store.records import Application, Execution

PER_PAGE = 50


def tab(request: HttpRequest, row: Application) -> dict[str, Any]:
    """What the tab of an application shows."""
    asked = execution_filter.read(request.GET, timezone.now())
    before = request.GET.get("before") or None
    search = executions.search(row, asked.wanted, before=before, limit=PER_PAGE)
    return {
        "executions": search.page,
        "looked_to": search.looked_to,
        "window": executions.WINDOW,
        "filter": asked.values,
        "query": asked.query,
        "is_filtered": asked.is_narrow,
        "is_first": before is None,
        "statuses": [(name, look.word) for name, look in looks.EXECUTIONS.items()],
        "spans": [(name, words) for name, (words, _length) in execution_filter.SPANS.items()],
        "releases": executions.releases_of(row),
        "people": executions.people_of(row),
    }


TAB = Tab("executions", _("Executions"), "player-play", tab)


@login_required
@require_safe
def show(request: HttpRequest, id_: UUID) -> HttpResponse:
    by = found.caller(request)
    row = found.execution(by, id_)
    now = timezone.now()
    is_final = row.status in states.FINAL
    position = executions.position(row)
    usual = None if is_final else executions.usual_seconds(row)
    steps = provenance.steps(row, executions.process_of(row), now)
    context: dict[str, Any] = {
        "here": "applications",
        "execution": row,
        "application": row.application,
        "is_final": is_final,
        "look": looks.of(looks.EXECUTIONS, row.status),
        "story": execution_words.of(row, position=position, usual=usual, now=now),
        "position": position,
        "log": row.log if is_final else events.log_so_far(id_),
        "cause": provenance.cause(row),
        "cause_details": provenance.cause_details(row),
        "chain": [(one, provenance.beginning(one.kind, one.who)) for one in executions.chain(row)],
        "effects": executions.effects(row),
        "samples": batches.of_execution(row),
        "steps": steps,
        "hardware": provenance.hardware(row),
        "digests": provenance.digests(row),
        **_legal(by, row, is_final),
        **archive.values(row),
    }
    return shown(request, "panel/execution", context)


def _legal(by: access.Caller, row: Execution, is_final: bool) -> dict[str, Any]:
    """Exactly what this person may do with it now."""
    org = row.application.organisation.slug
    may_execute, may_operate = access.may(by, access.EXECUTE, org), access.may(by, access.OPERATE, org)
    may_take_down = is_final and row.taken_down_at is None and may_operate
    may_share = shares.may(by, row) and not sharing.why_not(row)
    open_links = links.of(row) if row.status == states.SUCCEEDED else []
    return {
        "may_cancel": not is_final and shares.may(by, row),
        "may_run_again": may_execute and row.application.status == "enabled" and not reruns.why_not(row),
        "may_change": may_execute and is_final and row.taken_down_at is None,
        "may_share": may_share,
        "shares": [(one, one.created_by_id == by.user_id) for one in open_links] if may_share else [],
        "share_count": len(open_links),
        "may_take_down": may_take_down,
        "learned": _learned(row) if may_take_down else [],
        "question": questions.of(row) if may_execute else None,
        "thanks": questions.thanks(row),
    }


def _learned(row: Execution) -> list[int]:
    """Numbers of the model versions that learned from samples made of it."""
    models = {model.number for batch in batches.of_execution(row) for model in batches.models_of(batch)}
    return sorted(models)
