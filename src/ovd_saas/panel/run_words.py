"""Learning runs in words: what one is doing, what happens next, what both versions did on the same samples. Floor 3."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ovd_saas.assets import figures, words
from ovd_saas.domain import learning_runs as states
from ovd_saas.domain import models
from ovd_saas.panel import learning_words
from ovd_saas.store.records import LearningRun


@dataclass(frozen=True)
class Story:
    """What it is doing, and what is next, in sentences."""

    doing: str
    next: str


def story(run: LearningRun, *, usual: tuple[float, int] | None, live: int | None) -> Story:
    """`usual`: as `queries.learning_runs.usual_seconds`; `live`: number of the version that is live now."""
    tell = {
        states.QUEUED: _queued,
        states.RUNNING: _running,
        states.PAUSED: _paused,
        states.EVALUATING: _evaluating,
        states.AWAITING: _awaiting,
        states.PROMOTED: _promoted,
        states.REJECTED: _rejected,
    }
    return tell.get(run.status, _ended)(run, usual, live)


Usual = tuple[float, int] | None


def _queued(run: LearningRun, usual: Usual, live: int | None) -> Story:
    return Story(_("It has not begun."), _("It begins by itself as soon as nothing is in its way."))


def _running(run: LearningRun, usual: Usual, live: int | None) -> Story:
    return Story(_learns_from(run), " ".join(filter(None, (_("Then the gate judges what it learned."), took(usual)))))


def _learns_from(run: LearningRun) -> str:
    if run.snapshot is None:
        return _("It begins to learn; its data is being chosen.")
    count = run.snapshot.train
    values = {"count": words.numeral(f"{count:,}"), "version": run.parent.number if run.parent else 0}
    if run.parent is None:
        said = ngettext(
            "It learns from {count} sample, from nothing.", "It learns from {count} samples, from nothing.", count
        )
    else:
        said = ngettext(
            "It learns from {count} sample, beginning with version {version}.",
            "It learns from {count} samples, beginning with version {version}.",
            count,
        )
    return said.format(**values)


def took(usual: Usual) -> str:
    """How long it takes, by experience; empty without any."""
    if usual is None:
        return ""
    seconds, count = usual
    return ngettext(
        "The last run took {length} from its beginning to its verdict.",
        "The last {count} runs usually took {length} from their beginning to their verdict.",
        count,
    ).format(length=words.length(seconds), count=count)


def _paused(run: LearningRun, usual: Usual, live: int | None) -> Story:
    kept = (
        _("It gave way and saved where it was.") if run.checkpoint else _("It gave way before it had saved anything.")
    )
    return Story(kept, _("It goes on by itself when the application is asleep."))


def _evaluating(run: LearningRun, usual: Usual, live: int | None) -> Story:
    count = run.snapshot.holdout if run.snapshot else 0
    doing = ngettext(
        "What it learned is judged on {count} sample that was kept aside.",
        "What it learned is judged on {count} samples that were kept aside.",
        count,
    ).format(count=words.numeral(f"{count:,}"))
    gate = learning_words.manifest_part(run.release.manifest if run.release else {}, "gate")
    is_manual = gate.get("approve") == "manual"
    return Story(
        doing, _("If it passes, a person decides.") if is_manual else _("If it passes, it goes live by itself.")
    )


def _awaiting(run: LearningRun, usual: Usual, live: int | None) -> Story:
    doing = _("It made version {number}, which passed the gate and waits for a person.").format(number=_candidate(run))
    return Story(doing, _("An operator or owner approves or rejects it; until then nothing changes for users."))


def _promoted(run: LearningRun, usual: Usual, live: int | None) -> Story:
    number = _candidate(run)
    is_live = run.candidate is not None and run.candidate.state == models.ACTIVE
    doing = _("It made version {number}, which went live.").format(number=number)
    if is_live:
        return Story(doing, _("Version {number} answers now.").format(number=number))
    if live is None:
        return Story(doing, _("No version is live now."))
    return Story(
        doing, _("Version {live} answers now; version {number} can be brought back.").format(live=live, number=number)
    )


def _rejected(run: LearningRun, usual: Usual, live: int | None) -> Story:
    doing = _("It made version {number}, which did not go live.").format(number=_candidate(run))
    stays = _("Version {live} answers now.").format(live=live) if live else _("No version is live now.")
    return Story(doing, stays)


def _ended(run: LearningRun, usual: Usual, live: int | None) -> Story:
    failed = run.status == states.FAILED
    doing = _("It failed, and gave no version.") if failed else _("It was cancelled, and gave no version.")
    stays = _("Version {live} was not touched and goes on answering.").format(live=live) if live else ""
    again = _("What it was the first to take counts as new again.")
    return Story(doing, " ".join(filter(None, (stays, again))))


def _candidate(run: LearningRun) -> str:
    return str(run.candidate.number) if run.candidate else "–"


@dataclass(frozen=True)
class Metric:
    """One metric of both versions on the same samples."""

    name: str
    candidate: float | None
    active: float | None
    is_gate: bool  # the one that decides


def both(gate: Mapping[str, Any]) -> list[Metric]:
    """The gate's metric first; of older runs it is all that was kept."""
    kept = (gate.get("compared") or {}).get("metrics") or {}
    name = gate.get("metric")
    if not kept and name and gate.get("candidate") is not None:
        kept = {name: [gate.get("candidate"), gate.get("active")]}
    found = [Metric(key, pair[0], pair[1], key == name) for key, pair in kept.items()]
    return sorted(found, key=lambda one: not one.is_gate)


def pairs(gate: Mapping[str, Any]) -> dict[str, Any] | None:
    """The scores of both versions for the same samples, drawn and counted; None where none are stored."""
    compared = gate.get("compared") or {}
    scores: Sequence[Sequence[float]] = compared.get("scores") or ()
    if not scores:
        return None
    is_lower_better = gate.get("direction", "min") == "min"
    better, worse = ("lower", "higher") if is_lower_better else ("higher", "lower")
    counts = {"better": compared[better], "worse": compared[worse], "equal": compared["equal"]}
    return {
        "figure": figures.pairs(
            scores, is_lower_better, x=str(gate.get("compared_with") or _("the live version")), y=_("the candidate")
        ),
        "total": sum(counts.values()),
        **counts,
    }


def stretches(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Runs of numbers without a gap: first and last of each."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found
