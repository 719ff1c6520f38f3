"""Machines: the runners, their walls and templates, and the processes that live on them. Floor 3."""

from dataclasses import dataclass

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from ovd_saas.assets import found
from ovd_saas.assets.fragments import show as shown
from ovd_saas.domain import walls
from ovd_saas.domain.walls import Wall
from ovd_saas.store.queries import liveness, machines
from ovd_saas.store.records import Process, Runner


@dataclass(frozen=True)
class Machine:
    """One machine as the page shows it."""

    runner: Runner
    processes: list[Process]
    walls: list[Wall]
    room: machines.Room
    templates: machines.Templates

    @property
    def missing(self) -> list[Wall]:
        return [wall for wall in self.walls if not wall.stands]

    @property
    def standing(self) -> list[Wall]:
        return [wall for wall in self.walls if wall.stands]


@login_required
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    by = found.caller(request)
    runners = list(liveness.runners())
    processes = list(liveness.processes_on(runners, by))
    rooms = machines.rooms(runners)
    shown_ = [
        Machine(
            runner=one,
            processes=[each for each in processes if each.runner_id == one.pk],
            walls=walls.of(one.facts.get("walls") or {}),
            room=rooms[one.pk],
            templates=machines.templates(one, by),
        )
        for one in runners
    ]
    context = {"here": "machines", "machines": shown_, "appcore_leads": liveness.appcore_leads()}
    return shown(request, "panel/machines", context)
