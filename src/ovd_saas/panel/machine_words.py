"""Machines in words: what each is doing, why, and what draining it would do. Floor 3."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ovd_saas.assets import figures, words
from ovd_saas.domain import learning, service
from ovd_saas.store.queries.machines import InQueue, Room
from ovd_saas.store.queries.measures import Point
from ovd_saas.store.records import LearningRun, Process, Runner

MEBIBYTE = 1024 * 1024  # bytes


def doing(runner: Runner, processes: Sequence[Process], room: Room, last: Point | None) -> str:
    """What it does, in sentences."""
    if not runner.is_up:
        return _("It is down: nothing runs there until it is back.")
    count = len(processes)
    if runner.drained_at is not None:
        if not count:
            return _(
                "It is being drained, and empty: it can be switched off. Nothing starts there until it is taken back."
            )
        return ngettext(
            "It is being drained: one process still finishes what it does, and nothing new starts.",
            "It is being drained: {count} processes still finish what they do, and nothing new starts.",
            count,
        ).format(count=count)
    said = [
        ngettext(
            "It takes work: one process lives there.", "It takes work: {count} processes live there.", count
        ).format(count=count)
        if count
        else _("It takes work, and everything on it is asleep.")
    ]
    if room.total_mb:
        held, total = words.size(room.held_mb * MEBIBYTE), words.size(room.total_mb * MEBIBYTE)
        said.append(_("{held} of {total} of memory are promised.").format(held=held, total=total))
    if last is not None:
        busy = words.numeral(f"{last.busy_cpus:.1f}")
        said.append(_("{busy} of its processors were busy when it was measured last.").format(busy=busy))
    return " ".join(said)


def curves(runner: Runner, points: Sequence[Point]) -> dict[str, Any] | None:
    """Processors and memory over time, as figures and in words; None before anything was measured."""
    if not points:
        return None
    cpus, memory = float(runner.facts.get("cpus") or 0), float(runner.facts.get("memory_mb") or 0)
    moments = [one.at for one in points]
    gigabytes = 1024.0
    mean = sum(one.busy_cpus for one in points) / len(points)
    return {
        "processors": figures.overtime(
            moments,
            {_("on average"): [round(one.busy_cpus, 2) for one in points],
             _("in the busiest minute"): [round(one.most_cpus, 2) for one in points]},
            unit="", most=cpus or None,
        ),
        "memory": figures.overtime(
            moments,
            {_("in use"): [round(one.used_mb / gigabytes, 2) for one in points],
             _("promised to processes"): [round(one.admitted_mb / gigabytes, 2) for one in points]},
            unit="GiB", most=round(memory / gigabytes, 2) or None,
        ),
        "mean": words.numeral(f"{mean:.1f}"),
        "most": words.numeral(f"{max(one.most_cpus for one in points):.1f}"),
        "memory_most": words.size(max(one.used_mb for one in points) * MEBIBYTE),
        "waiting": max(one.waiting for one in points),
    }  # fmt: skip


def consequences(runner: Runner, processes: Sequence[Process], executing: int, others: int) -> list[str]:
    """What draining it will do, each a sentence."""
    serving = len({one.application_id for one in processes if one.kind == Process.SERVE})
    said = []
    if serving:
        said.append(
            ngettext(
                "One application that is awake finishes what it runs and falls asleep.",
                "{count} applications that are awake finish what they run and fall asleep.",
                serving,
            ).format(count=serving)
        )
    if executing:
        said.append(
            ngettext(
                "The execution that runs now is not disturbed.",
                "The {count} executions that run now are not disturbed.",
                executing,
            ).format(count=executing)
        )
    said += _of_learning(processes)
    if others:
        said.append(_("What is asked for meanwhile starts on the other machines."))
    else:
        said.append(
            _("It is the only machine: everything that is asked for waits until you take it back. Nothing is lost.")
        )
    return said


def _of_learning(processes: Sequence[Process]) -> list[str]:
    learns = [one for one in processes if one.kind == "learn"]
    gives_way = sum((one.release.manifest.get("learn") or {}).get("on_wake") == learning.YIELDS for one in learns)
    stays = len(learns) - gives_way
    said = []
    if gives_way:
        said.append(
            ngettext(
                "One learning run saves where it is, gives way, and goes on afterwards.",
                "{count} learning runs save where they are, give way, and go on afterwards.",
                gives_way,
            ).format(count=gives_way)
        )
    if stays:
        said.append(
            ngettext(
                "One learning run cannot give way, and learns to its end.",
                "{count} learning runs cannot give way, and learn to their end.",
                stays,
            ).format(count=stays)
        )
    return said


def waits(one: InQueue) -> tuple[str, datetime | None]:
    """Why executions of an application wait, and until when if that is known; the sentence as the platform keeps it."""
    application = one.application
    is_served = application.service == service.AWAKE
    if is_served and not application.next_what.startswith("One more process"):
        return "It is awake and serves others. Whoever waits gets the next free place.", None
    return application.next_what or "AppCore has not looked at it yet.", application.next_at


def learning_waits(run: LearningRun) -> str:
    """Why a learning run has not begun; likewise."""
    why = learning.why_not_begin(
        status=run.application.status, service=run.application.service, on_wake=learning.TOGETHER
    )
    return why or run.reason
