"""Foresight: what an action would meet if it were done now, in sentences: a dry run. Floor 3."""

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ovd_saas.domain import applications as rules
from ovd_saas.domain import learning_runs
from ovd_saas.store.queries.loads import Load
from ovd_saas.store.records import Application

USE = "use"  # another release is made current


def of(application: Application, action: str, load: Load) -> list[str]:
    """Of one action that is legal now; nothing to say: an empty list."""
    said = {
        rules.WAKE: _wake,
        rules.SLEEP: _sleep,
        rules.SUSPEND: _suspend,
        rules.ENABLE: _enable,
        rules.RETIRE: _retire,
        USE: _use,
    }[action](application, load)
    return [sentence for sentence in said if sentence]


def _wake(application: Application, load: Load) -> list[str]:
    if not application.start_failures:
        return []
    return [
        ngettext(
            "The failed start counts no longer.",
            "The {count} failed starts count no longer.",
            application.start_failures,
        ).format(count=application.start_failures)
    ]


def _sleep(application: Application, load: Load) -> list[str]:
    waits = ngettext(
        "{count} execution that waits wakes it again.", "{count} executions that wait wake it again.", load.queued
    )
    return [_may_finish(load), waits.format(count=load.queued) if load.queued else ""]


def _suspend(application: Application, load: Load) -> list[str]:
    stays = ngettext(
        "{count} execution that waits stays in the queue, until it is enabled or its deadline passes.",
        "{count} executions that wait stay in the queue, until it is enabled or their deadlines pass.",
        load.queued,
    )
    return [
        _may_finish(load),
        stays.format(count=load.queued) if load.queued else "",
        _pauses(load),
    ]


def _pauses(load: Load) -> str:
    if load.run is None:
        return ""
    number, status = load.run
    if status == learning_runs.RUNNING:
        said = _("Learning run {number} saves a checkpoint and pauses; it goes on when it is enabled.")
    else:
        said = _("Learning run {number} waits until it is enabled.")
    return said.format(number=number)


def _enable(application: Application, load: Load) -> list[str]:
    begins = ngettext(
        "{count} execution that waits is executed.", "{count} executions that wait are executed.", load.queued
    )
    goes_on = _("Learning run {number} goes on.")
    return [
        begins.format(count=load.queued) if load.queued else "",
        goes_on.format(number=load.run[0]) if load.run else "",
    ]


def _retire(application: Application, load: Load) -> list[str]:
    fails = ngettext("{count} execution that waits fails.", "{count} executions that wait fail.", load.queued)
    adopters = ngettext(
        "{count} application that adopted it goes on with the releases that it has; no later one comes.",
        "{count} applications that adopted it go on with the releases that they have; no later one comes.",
        load.adopters,
    )
    cancelled = _("Learning run {number} is cancelled, and its data is learned no more.")
    return [
        _may_finish(load),
        fails.format(count=load.queued) if load.queued else "",
        cancelled.format(number=load.run[0]) if load.run else "",
        adopters.format(count=load.adopters) if load.adopters else "",
    ]


def _use(application: Application, load: Load) -> list[str]:
    if load.processes:
        said = _("It serves now: the other release takes over when a process of it is ready, and no execution fails.")
    else:
        said = _("It is asleep: the next execution runs the other release.")
    waits = ngettext(
        "{count} execution that waits runs the other release.",
        "{count} executions that wait run the other release.",
        load.queued,
    )
    learns = _("Learning run {number} goes on with the release that it began with.")
    return [
        said,
        waits.format(count=load.queued) if load.queued else "",
        learns.format(number=load.run[0]) if load.run else "",
    ]


def _may_finish(load: Load) -> str:
    said = ngettext("{count} execution that runs may finish.", "{count} executions that run may finish.", load.running)
    return said.format(count=load.running) if load.running else ""
