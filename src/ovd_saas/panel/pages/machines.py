"""Machines: what each does and did, its walls, templates and processes; what waits; drain and evict. Floor 3."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from ovd_saas.appcore import access, runners
from ovd_saas.appcore import processes as verbs
from ovd_saas.appcore.refusals import Forbidden, Refusal
from ovd_saas.assets import answers, found
from ovd_saas.assets.fragments import show as shown
from ovd_saas.domain import walls
from ovd_saas.domain.walls import Wall
from ovd_saas.panel import machine_words
from ovd_saas.store.queries import liveness, machines, measures
from ovd_saas.store.records import Process, Runner

SPANS = {"hour": gettext_lazy("last hour"), "day": gettext_lazy("last day"), "week": gettext_lazy("last week")}


@dataclass(frozen=True)
class Machine:
    """One machine as the page shows it."""

    runner: Runner
    processes: list[Process]
    walls: list[Wall]
    room: machines.Room
    templates: machines.Templates
    doing: str  # sentences
    curves: dict[str, Any] | None  # None: nothing was measured yet
    consequences: list[str]  # of draining it

    @property
    def missing(self) -> list[Wall]:
        return [wall for wall in self.walls if not wall.stands]

    @property
    def standing(self) -> list[Wall]:
        return [wall for wall in self.walls if wall.stands]

    @property
    def state(self) -> bool | str:
        return "drained" if self.runner.is_up and self.runner.drained_at is not None else self.runner.is_up


@login_required
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """All machines, what lives there of the viewer's, and what waits of theirs."""
    by, now = found.caller(request), timezone.now()
    span = request.GET.get("span", "")
    span = span if span in SPANS else "hour"
    there = list(liveness.runners())
    queue = [(one, *machine_words.waits(one)) for one in machines.queue(by)]
    learning = [(run, machine_words.learning_waits(run)) for run in machines.learning_queue(by)]
    context = {
        "here": "machines",
        "machines": _machines(there, by, span, now),
        "appcore_leads": liveness.appcore_leads(),
        "span": span,
        "spans": [(name, word, name == span) for name, word in SPANS.items()],
        "queue": queue,
        "learning_queue": learning,
        "waiting": sum(one.count for one, *_ in queue),
        "may_drain": by.is_staff,
        "operates": {org for org in by.roles if access.may(by, access.OPERATE, org)},
    }
    return shown(request, "panel/machines", context)


def _machines(there: list[Runner], by: access.Caller, span: str, now: Any) -> list[Machine]:
    processes = list(liveness.processes_on(there, by))
    rooms, running = machines.rooms(there), machines.executing(there)
    points = measures.curves([one.pk for one in there], span, now=now)
    able = [one.pk for one in there if one.is_up and one.drained_at is None]
    made = []
    for one in there:
        living = [each for each in processes if each.runner_id == one.pk]
        last = points[one.pk][-1] if points[one.pk] else None
        others = len([id_ for id_ in able if id_ != one.pk])
        made.append(
            Machine(
                runner=one, processes=living, walls=walls.of(one.facts.get("walls") or {}), room=rooms[one.pk],
                templates=machines.templates(one, by),
                doing=machine_words.doing(one, living, rooms[one.pk], last),
                curves=machine_words.curves(one, points[one.pk]),
                consequences=machine_words.consequences(one, living, running[one.pk], others) if by.is_staff else [],
            )
        )  # fmt: skip
    return made


@login_required
@require_POST
def drain(request: HttpRequest, id_: int) -> HttpResponse:
    """Nothing new starts there. Undone by taking it back."""
    by = found.caller(request)
    try:
        _demand_staff(by)
        reason = request.POST.get("reason", "").strip()
        runner = runners.drain(runner_id=id_, by=by.actor, reason=reason, now=timezone.now())
    except Refusal as refusal:
        return answers.refused(request, refusal, back=_back())
    said = _("{name} is being drained: nothing new starts there, what runs may finish.").format(name=runner.name)
    undo = {"url": reverse("panel:take_back", args=[id_]), "action": "undrain"}
    return answers.done(request, said, back=_back(), undo=undo)


@login_required
@require_POST
def take_back(request: HttpRequest, id_: int) -> HttpResponse:
    by = found.caller(request)
    try:
        _demand_staff(by)
        runner = runners.undrain(runner_id=id_, by=by.actor, now=timezone.now())
    except Refusal as refusal:
        return answers.refused(request, refusal, back=_back())
    said = _("{name} takes work again; whoever has waited for longest is first.").format(name=runner.name)
    return answers.done(request, said, back=_back())


@login_required
@require_POST
def evict(request: HttpRequest, id_: UUID) -> HttpResponse:
    """One process ends when what it runs is finished."""
    by = found.caller(request)
    process = Process.objects.select_related("application__organisation").filter(pk=id_).first()
    if process is None or not access.may(by, access.SEE, process.application.organisation.slug):
        raise Http404("No such process.")
    found.demand(by, access.OPERATE, process.application.organisation.slug)
    try:
        verbs.evict(process_id=id_, by=by.actor, now=timezone.now())
    except Refusal as refusal:
        return answers.refused(request, refusal, back=_back())
    name = process.application.title or process.application.name
    said = _("The process of {name} ends when what it runs has finished; the next request wakes it again.")
    return answers.done(request, said.format(name=name), back=_back())


def _demand_staff(by: access.Caller) -> None:
    if not by.is_staff:
        raise Forbidden("Machines are drained by the staff of the platform. Ask one of them; nothing was changed.")


def _back() -> str:
    return reverse("panel:machines")
