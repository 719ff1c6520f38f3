"""Learning in words: when an application learns, what made a run due, what a gate asks for. Floor 3."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from ovd_saas.assets.words import numeral, span
from ovd_saas.domain import learning, triggers
from ovd_saas.store.records import TriggerEvaluation

_ON_WAKE = {
    learning.TOGETHER: gettext_lazy("A person who comes meanwhile is served at once, beside the learning."),
    learning.YIELDS: gettext_lazy(
        "When a person comes, learning saves where it is, gives way, and goes on afterwards."
    ),
    learning.FINISH: gettext_lazy("A person who comes meanwhile waits until it has learned."),
}


@dataclass(frozen=True)
class Way:
    """One kind of thing that can make it learn."""

    kind: str
    rule: str  # a sentence
    last: TriggerEvaluation | None  # when it was looked at last, and what came of it


def manifest_part(manifest: Mapping[str, Any] | None, name: str) -> dict[str, Any]:
    """A table of the manifest; empty when it is not there."""
    found = (manifest or {}).get(name)
    return found if isinstance(found, dict) else {}


def ways(manifest: Mapping[str, Any], latest: Mapping[str, TriggerEvaluation]) -> list[Way]:
    """What can make it learn, each with its rule and the last look."""
    learn, drift = manifest_part(manifest, "learn"), manifest_part(manifest, "drift")
    if not learn:
        return []
    said = {triggers.DATA: _data(learn) if learn.get("min_samples", 1) else _("New data alone does not make it learn.")}
    if learn.get("schedule"):
        said[triggers.SCHEDULE] = _(
            "By the schedule {schedule} (minute, hour, day, month, weekday), in {zone}."
        ).format(schedule=learn["schedule"], zone=_zone(learn))
    if drift.get("learn"):
        said[triggers.DRIFT] = _drifts(drift.get("cooldown"))
    said[triggers.NOTICE] = _("When a program tells that data has arrived.")
    said[triggers.MANUAL] = _("When a person asks for it.")
    return [Way(kind, rule, latest.get(kind)) for kind, rule in said.items()]


def _drifts(cooldown: float | None) -> str:
    if not cooldown:
        return _("When its data drifts over a limit.")
    return _("When its data drifts over a limit; then not again for {length}.").format(length=span(cooldown))


def rules(manifest: Mapping[str, Any]) -> list[str]:
    """What holds whatever made it learn, each a sentence; none for an application that does not learn."""
    learn, gate = (manifest_part(manifest, name) for name in ("learn", "gate"))
    if not learn:
        return []
    said = []
    if learn.get("at_most_every"):
        said.append(_("Never more often than every {length}.").format(length=span(learn["at_most_every"])))
    said.append(str(_ON_WAKE[learn.get("on_wake", learning.TOGETHER)]))
    if gate.get("metric"):
        said.append(asked(gate))
    return said


def _data(learn: Mapping[str, Any]) -> str:
    least = int(learn.get("min_samples", 1))
    quiet, longest = learn.get("quiet") or 0, learn.get("max_wait") or 0
    values = {"count": numeral(f"{least:,}"), "quiet": span(quiet), "longest": span(longest)}
    if not quiet:
        said = ngettext("When a new sample has arrived.", "When {count} new samples have arrived.", least)
    elif not longest:
        said = ngettext(
            "When a new sample has arrived and none came for {quiet}.",
            "When {count} new samples have arrived and none came for {quiet}.",
            least,
        )
    else:
        said = ngettext(
            "When a new sample has arrived and none came for {quiet}, at the latest after {longest}.",
            "When {count} new samples have arrived and none came for {quiet}, at the latest after {longest}.",
            least,
        )
    return said.format(**values)


def _zone(learn: Mapping[str, Any]) -> str:
    return str(learn.get("time_zone") or "UTC")


def asked(gate: Mapping[str, Any]) -> str:
    """What a new version has to show."""
    is_lower, least = gate.get("direction", "min") == "min", gate.get("minimum_improvement") or 0
    values = {"metric": gate["metric"], "least": numeral(f"{abs(least):g}")}
    if least > 0 and is_lower:
        said = _("What it learned passes if its {metric} on data kept aside is lower by at least {least}.")
    elif least > 0:
        said = _("What it learned passes if its {metric} on data kept aside is higher by at least {least}.")
    elif least < 0 and is_lower:
        said = _("What it learned passes if its {metric} on data kept aside is lower, or at most {least} higher.")
    elif least < 0:
        said = _("What it learned passes if its {metric} on data kept aside is higher, or at most {least} lower.")
    elif is_lower:
        said = _("What it learned passes if its {metric} on data kept aside is not higher.")
    else:
        said = _("What it learned passes if its {metric} on data kept aside is not lower.")
    manual = gate.get("approve") == "manual"
    then = _("Then a person approves it.") if manual else _("Then it goes live by itself.")
    return f"{said.format(**values)} {then}"


def metric_of(manifest: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    """The metric that the gate looks at, else the first one that there is."""
    named = str(manifest_part(manifest, "gate").get("metric") or "")
    return named or next(iter(metrics), "")


def better(manifest: Mapping[str, Any]) -> str:
    return "lower" if manifest_part(manifest, "gate").get("direction", "min") == "min" else "higher"


def shown_metrics(metrics: Mapping[str, Any], first: str) -> list[tuple[str, Any]]:
    """Numbers only, the gate's metric first."""
    numbers = [(name, value) for name, value in metrics.items() if isinstance(value, int | float)]
    return sorted(numbers, key=lambda pair: pair[0] != first)
