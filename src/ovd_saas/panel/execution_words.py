"""Executions in words: what one is doing, why, and what comes next. Floor 3."""

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from ovd_saas.assets.sentences import said as translated
from ovd_saas.assets.words import length, numeral
from ovd_saas.domain import executions as states
from ovd_saas.domain import health, service, status
from ovd_saas.store.records import Application, Execution

_CURES = {  # code of an error -> what to do
    "timeout": gettext_lazy("Try a smaller input, or ask its author to allow more time for one run."),
    "memory": gettext_lazy("Try a smaller input, or ask its author to ask for more memory."),
    "disk": gettext_lazy("Try a smaller input, or ask its author to ask for more disk."),
    "exception": gettext_lazy("Try another input; its author finds below where it went wrong."),
    "output": gettext_lazy("Its author has to correct it: it answered something else than its release declares."),
    "lost": gettext_lazy("Run it again. If it is lost again, look at the processes of the application."),
}
_CURE = gettext_lazy("Run it again; if it fails again, tell its author.")
_WAKING = {
    service.ASLEEP: gettext_lazy("The application wakes now."),
    service.WAKING: gettext_lazy("The application is waking up."),
    service.AWAKE: gettext_lazy("The application is awake."),
    service.DRAINING: gettext_lazy("The application was falling asleep; it wakes again."),
}
_HELD = {
    status.DRAFT: gettext_lazy("It waits: the application has no release that is ready. It starts when there is one."),
    status.SUSPENDED: gettext_lazy("It waits: the application is suspended. It starts when somebody enables it."),
    status.RETIRED: gettext_lazy("It will not start: the application is retired."),
}


@dataclass(frozen=True)
class Story:
    """Two or three sentences."""

    doing: str  # what and, of an end, why
    then: str  # what happens next, or what to do


def of(row: Execution, *, position: int | None, usual: float | None, now: datetime) -> Story:
    """`position` is its place in the queue, 1 = next; `usual` how long one takes, in seconds, where that is known."""
    if row.taken_down_at is not None:
        return Story(_("Its inputs, outputs and log were taken down."), _("Where it came from stays on record."))
    if row.status == states.QUEUED:
        return Story(_queued(position), _held(row.application, usual))
    if row.status == states.RUNNING:
        return Story(_running(row, usual, now), _("Its result appears here; you can close this page."))
    return _ended(row)


def _queued(position: int | None) -> str:
    ahead = (position or 1) - 1
    if not ahead:
        return _("Queued, and next in line.")
    return ngettext("Queued behind {count} other.", "Queued behind {count} others.", ahead).format(count=ahead)


def _held(application: Application, usual: float | None) -> str:
    """Why it does not run yet."""
    if application.status != status.ENABLED:
        return str(_HELD[application.status])
    if application.health == health.FAULTY:
        return _("It waits: the application does not start. {reason}").format(reason=translated(application.reason)[0])
    if application.waits_since:
        return translated(application.next_what)[0]
    wakes = str(_WAKING[application.service])
    if usual is None:
        return wakes
    return _("{wakes} One run usually takes {usual}.").format(wakes=wakes, usual=length(usual))


def _running(row: Execution, usual: float | None, now: datetime) -> str:
    elapsed = max(0.0, (now - (row.started_at or now)).total_seconds())
    fraction = (row.progress or {}).get("fraction")
    if fraction:
        left = elapsed * (1 - fraction) / fraction
        done = numeral(f"{100 * fraction:.0f}")
        if elapsed < 1:
            return _("Running, {done} % done.").format(done=done)
        return _("Running, {done} % done, about {left} left.").format(done=done, left=_about(left))
    if usual is None:
        return _("Running for {elapsed}; how long it takes is not known yet.").format(elapsed=length(elapsed))
    if elapsed < usual:
        return _("Running, about {left} left: one usually takes {usual}.").format(
            left=_about(usual - elapsed), usual=length(usual)
        )
    return _("Running for {elapsed}, longer than the {usual} that one usually takes.").format(
        elapsed=length(elapsed), usual=length(usual)
    )


def _about(seconds: float) -> str:
    """Nobody can know it to a tenth."""
    return length(max(1, round(seconds))).replace(".0 ", " ").replace(",0 ", " ")


def _ended(row: Execution) -> Story:
    said = str((row.error or {}).get("message") or _("no reason was given."))
    if row.status == states.SUCCEEDED:
        if row.seconds is None:
            return Story(_("It succeeded."), _("The result stays here."))
        return Story(_("It succeeded in {seconds}.").format(seconds=length(row.seconds)), _("The result stays here."))
    if row.status == states.REJECTED:
        return Story(
            _("The application declined this input: {reason}").format(reason=said),
            _("Change the input and run it again."),
        )
    if row.status == states.CANCELLED:
        return Story(said, _("Nothing of it goes on. It can be run again."))
    if row.status == states.EXPIRED:
        return Story(
            _("It was not started: its deadline passed while it waited."),
            _("Run it again, with a later deadline or none."),
        )
    code = str((row.error or {}).get("code", ""))
    return Story(_("It failed: {reason}").format(reason=said), str(_CURES.get(code, _CURE)))
