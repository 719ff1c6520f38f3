"""Triggers: what evaluating them needs to know, which applications to look at, and the evaluations themselves.
Floor 1."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Count, Max, Min, Q, QuerySet, Sum

from ovd_saas.domain import triggers
from ovd_saas.domain.learning_runs import OPEN
from ovd_saas.domain.triggers import Drifting, Facts, News, Notice, Paused, Rule
from ovd_saas.store.queries import pages
from ovd_saas.store.records import Application, Batch, DriftMeasure, Lookout, TriggerEvaluation

AT_ONCE = 500  # applications that are found in one look
KEPT = 1000  # evaluations of an application that made nothing due

_RUNS = """
    SELECT last.number, last.created_at,
        (SELECT number FROM store_learningrun WHERE application_id = %(id)s AND status = ANY(%(open)s)),
        (SELECT snapshot.last FROM store_learningrun AS run JOIN store_snapshot AS snapshot
            ON snapshot.id = run.snapshot_id WHERE run.application_id = %(id)s ORDER BY run.number DESC LIMIT 1),
        (SELECT max(number) FROM store_batch WHERE application_id = %(id)s),
        (SELECT max(id) FROM store_driftmeasure WHERE application_id = %(id)s)
    FROM (SELECT 1) AS always LEFT JOIN LATERAL (
        SELECT number, created_at FROM store_learningrun WHERE application_id = %(id)s ORDER BY number DESC LIMIT 1
    ) AS last ON true"""

_DUE = """
    SELECT application_id FROM store_lookout WHERE look_at <= %(now)s
    UNION
    SELECT application_id FROM store_lookout JOIN store_application AS application ON application.id = application_id
    WHERE is_held AND application.status = 'enabled' AND application.learning = 'resting'
    LIMIT %(limit)s"""

_UNSEEN = """
    SELECT application.id FROM store_application AS application
    LEFT JOIN store_lookout AS lookout ON lookout.application_id = application.id
    WHERE application.release_id IS DISTINCT FROM lookout.release_id
    UNION
    SELECT application_id FROM store_lookout AS lookout WHERE learns AND EXISTS (
        SELECT FROM store_batch WHERE application_id = lookout.application_id AND number > lookout.batch)
    UNION
    SELECT application_id FROM store_lookout AS lookout WHERE learns AND EXISTS (
        SELECT FROM store_driftmeasure WHERE application_id = lookout.application_id AND id > lookout.drift)
    LIMIT %(limit)s"""

_NOTE_EXECUTE_ONLY = """
    WITH changed AS MATERIALIZED (
        SELECT application.id, application.release_id FROM store_application AS application
        LEFT JOIN store_lookout AS lookout ON lookout.application_id = application.id
        WHERE application.release_id IS DISTINCT FROM lookout.release_id)
    INSERT INTO store_lookout (application_id, release_id, learns, batch, drift, used, schedule, look_at, is_held,
        said, next_what, next_at)
    SELECT changed.id, changed.release_id, false, 0, 0, 0, '', NULL, false, '{}', '', NULL
    FROM changed JOIN store_release AS release ON release.id = changed.release_id
    WHERE release.manifest ->> 'learn' IS NULL
    ON CONFLICT (application_id) DO UPDATE SET release_id = EXCLUDED.release_id, learns = false, look_at = NULL,
        is_held = false, next_what = '', next_at = NULL"""


@dataclass(frozen=True)
class Seen:
    """The facts, and how far they reach."""

    facts: Facts
    batch: int  # number of the newest batch
    drift: int  # id of the newest measure


def of(
    application: Application,
    *,
    before: str | None = None,
    limit: int = pages.USUAL_LIMIT,
    kind: str | None = None,
    decision: str | None = None,
) -> pages.Page[TriggerEvaluation]:
    """A page of the evaluations, newest first. Raises BadCursor."""
    rows = all_of(application)
    if kind is not None:
        rows = rows.filter(kind=kind)
    if decision is not None:
        rows = rows.filter(decision=decision)
    if before is not None:
        (id_,) = pages.after(before, int)
        rows = rows.filter(id__lt=id_)
    return pages.page(rows, limit, lambda row: (row.pk,))


def all_of(application: Application) -> QuerySet[TriggerEvaluation]:
    """Newest first, without the logs of their runs."""
    rows = TriggerEvaluation.objects.filter(application=application).select_related("run").defer("run__log")
    return rows.order_by("-id")


def prune(application_id: int, *, kept: Collection[int]) -> None:
    """Afterwards at most KEPT evaluations of the application are left, besides those that made a run due and those in
    `kept`: the oldest go."""
    rows = TriggerEvaluation.objects.filter(application=application_id)
    last = rows.order_by("-id").values_list("id", flat=True)[KEPT : KEPT + 1].first()
    if last is not None:
        rows.filter(id__lte=last, run=None).exclude(id__in=kept).delete()


def by_id(id_: int) -> TriggerEvaluation:
    return TriggerEvaluation.objects.select_related("run").get(pk=id_)


def waiting_notice(application_id: int) -> TriggerEvaluation | None:
    """The evaluation of a notice that waits already, where a further one would change nothing: no source is to be
    pulled for it. Asked without a lock: the run that answers the one that waits begins after this question."""
    rows = TriggerEvaluation.objects.filter(
        application=application_id, application__noticed_at__isnull=False, application__notice__pulls=False,
        kind=triggers.NOTICE,
    )  # fmt: skip
    last = rows.select_related("run").order_by("-id").first()
    return last if last is not None and last.decision == triggers.WAITS else None


def due(now: datetime) -> list[int]:
    """Ids of the applications whose moment has come, or that nothing holds any more; asked of indexes of just those."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE, {"now": now, "limit": AT_ONCE})
        return [id_ for (id_,) in cursor.fetchall()]


def unseen() -> list[int]:
    """Ids of the applications with a release, batches or measures of drift that their triggers were not looked at for;
    those that only execute are noted as such, and never come back. Asks about every application: notices tell sooner.
    """
    with connection.cursor() as cursor:
        cursor.execute(_NOTE_EXECUTE_ONLY)
        cursor.execute(_UNSEEN, {"limit": AT_ONCE})
        return [id_ for (id_,) in cursor.fetchall()]


def candidates(now: datetime) -> list[int]:
    """Ids of the applications whose triggers may have something to say that was not said."""
    return sorted({*due(now), *unseen()})


def earliest() -> datetime | None:
    """When the next application is to be looked at by itself."""
    found: datetime | None = Lookout.objects.filter(look_at__isnull=False).aggregate(at=Min("look_at"))["at"]
    return found


def seen(application: Application, lookout: Lookout, rule: Rule) -> Seen:
    """What is so, read in two to five queries. The application's row is locked by the caller."""
    last_run, last_run_at, open_run, covered, newest, drift = _runs(application.pk)
    drifting = _drifting(application, drift) if drift is not None else None
    facts = Facts(
        status=application.status,
        scheduled_until=application.scheduled_until,
        notice=_notice(application),
        news=_news(application.pk, max(covered or 0, lookout.used), is_counted=open_run is None),
        drifting=drifting,
        drift_due_at=_drift_due_at(application.pk) if drifting is not None and rule.drift_learns else None,
        last_run=last_run,
        last_run_at=last_run_at,
        open_run=open_run,
        can_learn=not rule.schedule or _can_learn(application.pk, rule),
        paused=paused(lookout),
        unsettled=frozenset(
            kind for kind, said in lookout.said.items() if said["decision"] != triggers.DUE and said["cause"]
        ),
    )
    return Seen(facts, newest or 0, drift or 0)


def paused(lookout: Lookout) -> Paused | None:
    """Who paused it and why; None: nobody did."""
    if lookout.paused_at is None:
        return None
    return Paused(lookout.paused_at, lookout.paused_by, lookout.pause_reason)


def _runs(application_id: int) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(_RUNS, {"id": application_id, "open": list(OPEN)})
        found: tuple[Any, ...] = cursor.fetchone()
        return found


def _notice(application: Application) -> Notice | None:
    if application.noticed_at is None:
        return None
    said = application.notice or {}
    is_pulling = application.pull_asked_at is not None and bool(said.get("pulls"))
    pulling_since = application.noticed_at if is_pulling else None
    return Notice(application.noticed_at, said.get("by") or "appcore", said.get("note") or "", pulling_since)


def _news(application_id: int, covered: int, *, is_counted: bool) -> News | None:
    """The batches after `covered`; while a run is open, which may yet take them, only that there are some."""
    rows = Batch.objects.filter(application=application_id, number__gt=covered, taken_down_at=None, step=None)
    if not is_counted:
        first = rows.order_by("number").values_list("number", "created_at").first()
        return News(first[0], first[0], 0, first[1], first[1]) if first else None
    found = rows.aggregate(
        Count("id"), Min("number"), Max("number"), Sum("samples"), Min("created_at"), Max("created_at")
    )
    if not found["id__count"]:
        return None
    return News(
        found["number__min"], found["number__max"], found["samples__sum"],
        found["created_at__min"], found["created_at__max"],
    )  # fmt: skip


def _can_learn(application_id: int, rule: Rule) -> bool:
    rows = Batch.objects.filter(application=application_id, taken_down_at=None)
    return (rows.filter(step=None) if rule.only_new else rows).exists()


def _drifting(application: Application, measure: int) -> Drifting | None:
    """What the newest measure says, if it is one of the live model."""
    live = DriftMeasure.objects.filter(pk=measure, model=application.model_id, is_drifting=True)
    found = live.values_list("at", "through", "reason").first()
    return Drifting(*found) if found is not None else None


def _drift_due_at(application_id: int) -> datetime | None:
    due = Q(application=application_id, kind=triggers.DRIFT, decision=triggers.DUE)
    return TriggerEvaluation.objects.filter(due).order_by("-id").values_list("at", flat=True).first()
