"""Needs: what waits for a person, each a sentence with its cause and cure, and the button that does it. Floor 3."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ovd_saas.appcore import access
from ovd_saas.assets import looks
from ovd_saas.files import disk
from ovd_saas.store.queries import home, liveness
from ovd_saas.store.records import Application, LearningRun, Release, Runner

BAD = looks.FAULTY


@dataclass(frozen=True)
class Button:
    """A form of one button. With `asks` it is asked first: what will be so afterwards."""

    key: str
    label: str
    url: str
    icon: str
    fields: tuple[tuple[str, str], ...] = ()
    asks: str = ""
    is_main: bool = False


@dataclass(frozen=True)
class Need:
    """One thing that waits for a person."""

    key: str
    look: looks.Look
    title: str
    url: str
    what: str
    why: str = ""  # as the platform stored it
    cure: str = ""
    at: datetime | None = None
    buttons: tuple[Button, ...] = ()
    links: tuple[tuple[str, str], ...] = field(default=())  # label, address


def of(by: access.Caller, now: datetime) -> list[Need]:
    """The most urgent first: the platform, what does not run, what waits for a decision, what did not work."""
    found = [*_platform(by), *_faulty(by), *_awaiting(by), *_learning(by, now), *_sources(by), *_builds(by)]
    return sorted(found, key=lambda one: _URGENCY.get(one.look.tone, 2))


_URGENCY = {"bad": 0, "dawn": 1}


def _platform(by: access.Caller) -> Iterator[Need]:
    if not liveness.appcore_leads():
        yield Need(
            "appcore", looks.Look("bad", "plug-connected-x", _("down")), _("AppCore"), _system(by),
            _("AppCore is not running: awake applications go on executing, nothing wakes, learns or falls asleep."),
            cure=_("“ovd up” starts it again by itself; alone it is started by “ovd appcore”."),
        )  # fmt: skip
    if by.is_staff:
        yield from (_machine(one) for one in home.unwell_machines())
        yield from (_disk(one) for one in disk.disks() if one.is_low)


def _system(by: access.Caller) -> str:
    return reverse("panel:system") if by.is_staff else reverse("panel:machines")


def _machine(runner: Runner) -> Need:
    url = reverse("panel:machines")
    if not runner.is_up:
        return Need(
            f"machine-{runner.pk}", looks.RUNNERS[False], runner.name, url,
            _("The runner of this machine does not answer: nothing starts there, and what ran there may be lost."),
            cure=_("Start it on that machine with “ovd runner”, or look into its log why it ended."), at=runner.seen_at,
        )  # fmt: skip
    by = runner.drained_by.removeprefix("user:")
    again = Button(
        f"use-machine-{runner.pk}", _("Use it again"), reverse("panel:take_back", args=[runner.pk]), "player-play"
    )
    return Need(
        f"machine-{runner.pk}", looks.Look("hold", "player-pause", _("drained")), runner.name, url,
        _("%(who)s drained this machine: what lives there goes on, nothing new starts.") % {"who": by or "?"},
        why=runner.drain_reason, cure=_("When the work on it is done, let it be used again."), at=runner.drained_at,
        buttons=(again,),
    )  # fmt: skip


def _disk(one: disk.Disk) -> Need:
    free = {"free": f"{one.free / (1 << 30):.1f}", "folder": one.folder}
    look = looks.Look("bad", "database", _("low disk"))
    return Need(
        f"disk-{'-'.join(one.names)}", look, one.folder, reverse("panel:system"),
        _("Only %(free)s GiB are free below %(folder)s. When none are left, nothing is stored and runs fail.") % free,
        cure=_("Make room on that disk, or move the data folder to a larger one. Logs and old backups go first."),
    )  # fmt: skip


def _faulty(by: access.Caller) -> Iterator[Need]:
    for row, before in home.faulty(by):
        buttons = []
        if _may(by, access.OPERATE, row):
            buttons.append(Button(f"wake-{row.pk}", _("Try again"), _act(row), "refresh", (("action", "wake"),)))
        if before is not None and row.release is not None and _may(by, access.PUSH, row):
            asks = _("Release %(before)s becomes current in place of release %(now)s, which is kept: going forward "
                     "again is one click as well.") % {"before": before, "now": row.release.number}  # fmt: skip
            use = reverse("panel:use_release", args=[*_place(row), before])
            label = _("Go back to release %(number)s") % {"number": before}
            buttons.append(Button(f"use-{row.pk}", label, use, "arrow-back-up", asks=asks, is_main=True))
        yield Need(
            f"faulty-{row.pk}", BAD, _name(row), _page(row), _("It does not start."), why=row.reason,
            cure=_("The log of its last process says what went wrong."), at=row.since, buttons=tuple(buttons),
            links=((_("Find out why"), _page(row)),),
        )  # fmt: skip


def _awaiting(by: access.Caller) -> Iterator[Need]:
    for run in home.awaiting(by):
        model, application = run.candidate, run.application
        if model is None:
            continue
        is_stale = model.parent_id != application.model_id
        what = _("Version %(number)s passed the gate and waits for a decision.") % {"number": model.number}
        if is_stale:
            what = _("Version %(number)s waits for a decision, but was compared with a version that is not live now.")
            what %= {"number": model.number}
        yield Need(
            f"awaiting-{run.pk}", looks.LEARNING_RUNS["awaiting"], _name(application), _page(application, "models"),
            what, why=(run.gate or {}).get("sentence", ""),
            cure=_decision(by, application, is_stale),
            at=run.finished_at or run.created_at, buttons=tuple(_decisions(by, run, is_stale)),
            links=((_("See the learning run"), reverse("panel:learning_run", args=[run.pk])),),
        )  # fmt: skip


def _decision(by: access.Caller, row: Application, is_stale: bool) -> str:
    if not _may(by, access.OPERATE, row):
        return _("An operator or owner of %(organisation)s decides.") % {"organisation": row.organisation.slug}
    if is_stale:
        return _("Reject it; learning again compares with what is live now.")
    return _("Approve it, and it answers from now on; reject it, and the live one stays.")


def _decisions(by: access.Caller, run: LearningRun, is_stale: bool) -> Iterator[Button]:
    model, row = run.candidate, run.application
    if model is None or not _may(by, access.OPERATE, row):
        return
    number = {"number": model.number, "live": row.model.number if row.model else 0}
    if not is_stale:
        asks = _("Version %(number)s answers from now on. Version %(live)s is kept, and one click brings it back.") if (
            row.model
        ) else _("Version %(number)s answers from now on.")  # fmt: skip
        url = reverse("panel:promote", args=[*_place(row), model.number])
        yield Button(f"approve-{run.pk}", _("Approve"), url, "thumb-up", asks=asks % number, is_main=True)
    asks = _("Version %(number)s never becomes live; it is kept and can be downloaded. This cannot be taken back.")
    url = reverse("panel:reject", args=[*_place(row), model.number])
    yield Button(f"reject-{run.pk}", _("Reject"), url, "thumb-down", asks=asks % number)


def _learning(by: access.Caller, now: datetime) -> Iterator[Need]:
    for run in home.failed_learning(by, now):
        row = run.application
        buttons = []
        if _may(by, access.OPERATE, row):
            buttons.append(
                Button(f"learn-{run.pk}", _("Learn again"), reverse("panel:learn", args=_place(row)), "school")
            )
        yield Need(
            f"learning-{run.pk}", looks.LEARNING_RUNS["failed"], _name(row), _page(row, "learning"),
            _("Its last learning run failed; what is live goes on answering.")
            if row.model_id else _("Its last learning run failed."),
            why=(run.error or {}).get("message", "") or run.reason,
            cure=_("The log of the run says where it went wrong. After a cure, let it learn again."),
            at=run.finished_at, buttons=tuple(buttons),
            links=((_("See the log"), reverse("panel:learning_run", args=[run.pk])),),
        )  # fmt: skip


def _sources(by: access.Caller) -> Iterator[Need]:
    for one in home.broken_sources(by):
        what = (
            _("Its source %(source)s cannot be pulled.") % {"source": one.source}
            if one.is_whole
            else ngettext(
                "%(count)s file of its source %(source)s could not be read.",
                "%(count)s files of its source %(source)s could not be read.",
                one.files,
            )
            % {"count": one.files, "source": one.source}
        )
        page = _page(one.application, "data")
        yield Need(
            f"source-{one.application.pk}-{one.source}", looks.Look("hold", "alert-triangle", _("source")),
            _name(one.application), page, what, why=one.error,
            cure=_("Correct it where it comes from: a changed file is pulled again by itself."), at=one.seen_at,
            links=((_("See the source"), page),),
        )  # fmt: skip


def _builds(by: access.Caller) -> Iterator[Need]:
    for row in home.failed_builds(by):
        yield _build(row)


def _build(row: Release) -> Need:
    page = reverse("panel:release", args=[*_place(row.application), row.number])
    what = _("Release %(number)s could not be built; what runs is unchanged.") % {"number": row.number}
    if row.application.release_id is None:
        what = _("Release %(number)s could not be built, so it cannot be run yet.") % {"number": row.number}
    return Need(
        f"build-{row.pk}", looks.RELEASES["failed"], _name(row.application), page, what, why=row.error,
        cure=_("Correct it and push again; “ovd check” finds most of it before."), at=row.created_at,
        links=((_("See the build"), page),),
    )  # fmt: skip


def _may(by: access.Caller, verb: str, row: Application) -> bool:
    return access.may(by, verb, row.organisation.slug)


def _name(row: Application) -> str:
    return row.title or row.name


def _place(row: Application) -> list[str]:
    return [row.organisation.slug, row.name]


def _page(row: Application, tab: str = "") -> str:
    return reverse("panel:application", args=_place(row)) + (f"?tab={tab}" if tab else "")


def _act(row: Application) -> str:
    return reverse("panel:act", args=_place(row))
