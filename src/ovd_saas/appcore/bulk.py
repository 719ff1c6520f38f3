"""Bulk: one action for many applications, foreseen and then done one by one. Floor 2: may use store, domain."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ovd_saas.appcore import access, applications, learning_runs
from ovd_saas.appcore.refusals import Refusal
from ovd_saas.domain import applications as rules
from ovd_saas.domain import triggers
from ovd_saas.domain.learning_runs import OPEN
from ovd_saas.store.queries import applications as queries
from ovd_saas.store.records import Application, Batch, LearningRun

LEARN = "learn"
ACTIONS = (rules.WAKE, rules.SLEEP, rules.SUSPEND, rules.ENABLE, LEARN)  # retiring needs its name typed, one by one
MOST = 500  # applications at once


class NotInBulk(Refusal):
    """There is no such action for many at once, or they are too many."""

    code = "not_in_bulk"
    http = 422


@dataclass(frozen=True)
class Step:
    """What will become, or has become, of one of them."""

    application: Application
    refusal: str = ""  # why not, a sentence; empty: it will be done, or was


def foresee(*, ids: Sequence[int], action: str, by: access.Caller) -> list[Step]:
    """What the action would do now to each of these that the caller may see, in their order; nothing is changed, and
    the number of questions does not grow with theirs. Raises NotInBulk."""
    rows = _visible(ids, action, by)
    found = [row.pk for row in rows]
    running: dict[int, int] = {}
    with_data: set[int] = set()
    if action == LEARN:
        running = dict(
            LearningRun.objects.filter(application__in=found, status__in=OPEN).values_list("application", "number")
        )
        with_data = set(
            Batch.objects.filter(application__in=found, taken_down_at=None)
            .values_list("application", flat=True)
            .distinct()
        )
    return [Step(row, _why_not(row, action, by, running.get(row.pk), row.pk in with_data)) for row in rows]


def act(*, ids: Sequence[int], action: str, by: access.Caller, now: datetime) -> list[Step]:
    """Afterwards the action was done, by the verb of the single one, to each whose state allowed it; the others were
    left as they are, each with the reason. Raises NotInBulk."""
    done: list[Step] = []
    for step in foresee(ids=ids, action=action, by=by):
        try:
            if not step.refusal:
                _do(step.application, action, by, now)
            done.append(step)
        except Refusal as refusal:  # somebody was faster
            done.append(Step(step.application, refusal.detail))
    return done


def _visible(ids: Sequence[int], action: str, by: access.Caller) -> list[Application]:
    if action not in ACTIONS:
        raise NotInBulk(f"There is no action {action[:40]!r} for many at once. There are: {', '.join(ACTIONS)}.")
    if len(ids) > MOST:
        raise NotInBulk(f"These are {len(ids)} applications; at most {MOST} can be changed at once. Choose fewer.")
    wanted = list(dict.fromkeys(ids))
    visible = set(queries.of(by).filter(pk__in=wanted).values_list("pk", flat=True))
    return queries.listed([id_ for id_ in wanted if id_ in visible])


def _why_not(row: Application, action: str, by: access.Caller, running: int | None, has_data: bool) -> str:
    org = row.organisation.slug
    if not access.may(by, access.OPERATE, org):
        return f"You are {by.roles.get(org, 'nobody')} of {org}; an operator or owner can do this."
    if action != LEARN:
        legal = rules.refusal(action, row.status, row.service, row.health, has_release=row.release is not None)
        return legal or ""
    try:
        learning_runs.check_learning(row)
    except learning_runs.NotLearning as refusal:
        return refusal.detail
    if not has_data:
        return "There is nothing to learn from yet: no data has come."
    return f"Learning run {running} goes on; another can begin when it has ended." if running else ""


def _do(row: Application, action: str, by: access.Caller, now: datetime) -> None:
    if action != LEARN:
        applications.act(application=row, action=action, by=by.actor, now=now)
        return
    learning_runs.submit(
        application=row, trigger=triggers.MANUAL, cause=by.actor, reason=f"{by.username} asked for it.",
        by=by.actor, now=now,
    )  # fmt: skip
