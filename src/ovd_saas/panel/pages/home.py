"""Home: the fleet in numbers, what needs a person, what happens now, and the first steps. Floor 3."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from ovd_saas.appcore import access, people
from ovd_saas.assets import answers, found, looks
from ovd_saas.assets.fragments import show as shown
from ovd_saas.panel import needs, stories
from ovd_saas.store.queries import home, liveness, machines, panel
from ovd_saas.store.records import Application, User

NEWEST = 8  # of what happened, and of executions
GROUPS = (
    ("idle", looks.PHASES["idle"]),
    ("learning", looks.PHASES["learning"]),
    ("executing", looks.PHASES["executing"]),
    ("faulty", looks.FAULTY),
)
_LOOKED = "looked_at_the_example"  # key of the session
_EXAMPLES = Path(__file__).resolve().parents[4] / "examples"  # in a checkout: what `ovd up` publishes


@dataclass(frozen=True)
class Step:
    """One of the first steps."""

    title: str
    text: str
    url: str
    label: str
    icon: str
    is_done: bool
    lines: str = ""  # commands that do the same


@login_required
@require_safe
def front(request: HttpRequest) -> HttpResponse:
    """The address without a path leads who is signed in home."""
    return HttpResponseRedirect(reverse("panel:home"))


@login_required
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    by = found.caller(request)
    fleet = panel.fleet(by)
    context = {
        "here": "home",
        "fleet": fleet,
        "counts": [(name, look, getattr(fleet, name)) for name, look in GROUPS],
        **_PARTS.get(request.headers.get("X-Fragment", ""), _all)(request, by),
    }
    return shown(request, "panel/home", context)


def _all(request: HttpRequest, by: access.Caller) -> dict[str, Any]:
    return _guide(request, by) | _needs(request, by) | _activity(request, by) | _load(request, by)


def _needs(request: HttpRequest, by: access.Caller) -> dict[str, Any]:
    return {"needs": needs.of(by, timezone.now())}


def _activity(request: HttpRequest, by: access.Caller) -> dict[str, Any]:
    return {"transitions": home.transitions(by, NEWEST), "executions": home.executions(by, NEWEST)}


def _load(request: HttpRequest, by: access.Caller) -> dict[str, Any]:
    runners = list(liveness.runners())
    rooms, working, busy = machines.rooms(runners), home.processes_at_work(), home.last_measures(timezone.now())
    return {"machines": [(one, rooms[one.pk], working.get(one.pk, 0), busy.get(one.pk)) for one in runners]}


def _guide(request: HttpRequest, by: access.Caller) -> dict[str, Any]:
    user = cast(User, request.user)
    if user.guided_at is not None:
        return {"steps": []}
    example = home.example(by)
    steps = _steps(request, by, user, example)
    done = sum(one.is_done for one in steps)
    return {"steps": [] if done == len(steps) else steps, "done": done, "example": example}


_PARTS = {"counts": lambda *_: {}, "guide": _guide, "needs": _needs, "activity": _activity, "load": _load}


def _steps(request: HttpRequest, by: access.Caller, user: User, example: Application | None) -> list[Step]:
    facts = home.steps(user, _examples())
    may_push = by.is_staff or any(access.may(by, access.PUSH, org) for org in by.roles)
    steps = []
    if example is not None:
        name = example.title or example.name
        place = [example.organisation.slug, example.name]
        steps.append(
            Step(
                _("Look at %(name)s") % {"name": name},
                _("An application that lives here already. Its page says what it does, why, and what happens next."),
                reverse("panel:example"), _("Look at it"), "eye",
                bool(request.session.get(_LOOKED)) or facts.has_executed or facts.has_fed,
            )
        )  # fmt: skip
        steps.append(
            Step(
                _("Run it"),
                _("Choose a sample and press Run. It wakes, answers, and falls asleep again when nobody uses it; the "
                  "result keeps its address."),
                reverse("frontends:page", args=place), _("Open its page"), "player-play", facts.has_executed,
            )
        )  # fmt: skip
        if stories.learns(example):
            steps.append(
                Step(
                    _("Feed it"),
                    _("Send it new samples, by dropping a file or by one command. When there are enough, it learns, "
                      "and you see whether it got better."),
                    reverse("panel:application", args=place) + "?tab=data", _("Send data"), "database-import",
                    facts.has_fed, _feed_lines(example),
                )
            )  # fmt: skip
    if may_push:
        address = request.build_absolute_uri("/").rstrip("/")
        steps.append(
            Step(
                _("Publish your own"),
                _("One folder, one manifest, plain Python or any command. Try it on your own machine, then push it."),
                reverse("panel:new_application"), _("Begin"), "rocket", facts.has_pushed,
                f"ovd new my-application\ncd my-application && ovd check\novd login {address}\novd push",
            )
        )  # fmt: skip
    return steps


def _examples() -> frozenset[str]:
    return frozenset(one.parent.name for one in _EXAMPLES.glob("*/ovd.toml"))


def _feed_lines(example: Application) -> str:
    feed = next(iter(sorted((_EXAMPLES / example.name / "feed").glob("*.jsonl"))), None)
    return f"ovd feed {example.address} examples/{example.name}/feed/{feed.name}" if feed else ""


@login_required
@require_safe
def example(request: HttpRequest) -> HttpResponse:
    """Leads to the living example, and remembers that it was looked at."""
    row = home.example(found.caller(request))
    if row is None:
        return HttpResponseRedirect(reverse("panel:applications"))
    request.session[_LOOKED] = True
    return HttpResponseRedirect(reverse("panel:application", args=[row.organisation.slug, row.name]))


@login_required
@require_POST
def guide(request: HttpRequest) -> HttpResponse:
    """Closes the first steps, or opens them again."""
    user, back = cast(User, request.user), reverse("panel:home")
    if "open" in (request.POST.get("action"), request.POST.get("guide")):  # undone, or from the menu
        people.open_guide(user=user)
        return answers.done(request, _("The first steps are shown again."), back=back)
    people.close_guide(user=user, now=timezone.now())
    undo = {"url": request.path, "action": "open"}
    return answers.done(request, _("The first steps are closed. Your menu opens them again."), back=back, undo=undo)
