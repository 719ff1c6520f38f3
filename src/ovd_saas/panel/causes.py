"""Causes: what something in the timeline was, why it was, and what came of it beside changes of states. Floor 3."""

from dataclasses import dataclass, field
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext as _

from ovd_saas.panel import provenance
from ovd_saas.store.queries import executions, learning_runs, models, releases
from ovd_saas.store.records import Application


@dataclass(frozen=True)
class Thing:
    """A name, and its page where it has one."""

    name: str
    url: str = ""


@dataclass(frozen=True)
class Cause:
    """The thing that caused, one step up, and what it led to beside transitions."""

    thing: Thing
    why: str  # a sentence
    because: Thing | None = None  # what caused it in turn
    led_to: list[Thing] = field(default_factory=list)


def of(application: Application, cause: str) -> Cause:
    """What `cause` of a transition of this application names; what is not known is told by its own name."""
    kind, _colon, which = cause.partition(":")
    known = {"execution": _execution, "learning-run": _learning_run, "release": _release}
    found = known[kind](application, which) if kind in known else None
    return found or Cause(Thing(cause), "")


def _execution(application: Application, which: str) -> Cause | None:
    try:
        row = executions.by_id(UUID(which))
    except ValueError:
        return None
    if row is None or row.application_id != application.pk:
        return None
    again = str(row.cause.get("execution", ""))
    batches = {int(fact["batch"]) for fact in (row.sampled or {}, row.feedback or {}) if fact.get("batch")}
    return Cause(
        Thing(_("execution …{end}").format(end=which[-8:]), reverse("panel:execution", args=[row.pk])),
        provenance.cause(row),
        _again(again) if again else None,
        [Thing(_("batch {number}").format(number=number), _at(application, "panel:batch", number))
         for number in sorted(batches)],
    )  # fmt: skip


def _again(id_: str) -> Thing | None:
    try:
        return Thing(_("execution …{end}").format(end=id_[-8:]), reverse("panel:execution", args=[UUID(id_)]))
    except ValueError:
        return None


def _learning_run(application: Application, which: str) -> Cause | None:
    run = learning_runs.by_number(application, int(which)) if which.isdecimal() and len(which) < 9 else None
    if run is None:
        return None
    look = run.evaluations.order_by("id").first()
    candidate = models.all_of(application).filter(run=run).first()
    led_to = []
    if candidate is not None:
        tab = reverse("panel:application", args=[application.organisation.slug, application.name])
        led_to = [
            Thing(
                _("model version {number}").format(number=candidate.number),
                f"{tab}?tab=models#version-{candidate.number}",
            )
        ]
    name = _("learning run {number}").format(number=run.number)
    return Cause(
        Thing(name, reverse("panel:learning_run", args=[run.pk])),
        look.reason if look else run.reason,
        _looked_at(application, look.cause if look else run.cause),
        led_to,
    )


def _looked_at(application: Application, cause: str) -> Thing | None:
    """ "batch 17", "batches 3-17", "user:ana", "cron …": what made a run due."""
    word, _space, which = cause.partition(" ")
    last = which.rpartition("-")[2]
    if word in ("batch", "batches") and last.isdecimal():
        return Thing(cause, _at(application, "panel:batch", int(last)))
    return Thing(cause.removeprefix("user:")) if cause else None


def _release(application: Application, which: str) -> Cause | None:
    row = releases.by_number(application, int(which)) if which.isdecimal() and len(which) < 9 else None
    if row is None:
        return None
    who = row.created_by.username if row.created_by else _("somebody")
    return Cause(
        Thing(_("release {number}").format(number=row.number), _at(application, "panel:release", row.number)),
        _("Pushed by {who}.").format(who=who),
    )


def _at(application: Application, page: str, number: int) -> str:
    return reverse(page, args=[application.organisation.slug, application.name, number])
