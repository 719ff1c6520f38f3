"""Learning in words: when an application learns, what made a run due, what a gate asks for. Floor 3."""

from collections.abc import Mapping
from typing import Any

from ovd_saas.assets.words import span
from ovd_saas.domain import learning

_ON_WAKE = {
    learning.TOGETHER: "A person who comes meanwhile is served at once, beside the learning.",
    learning.YIELDS: "When a person comes, learning saves where it is, gives way, and goes on afterwards.",
    learning.FINISH: "A person who comes meanwhile waits until it has learned.",
}


def manifest_part(manifest: Mapping[str, Any] | None, name: str) -> dict[str, Any]:
    """A table of the manifest; empty when it is not there."""
    found = (manifest or {}).get(name)
    return found if isinstance(found, dict) else {}


def rules(manifest: Mapping[str, Any]) -> list[str]:
    """When it learns and what happens then, each a sentence; none for an application that does not learn."""
    learn, gate, drift = (manifest_part(manifest, name) for name in ("learn", "gate", "drift"))
    if not learn:
        return []
    said = [_data(learn)] if learn.get("min_samples", 1) else ["New data alone does not make it learn."]
    if learn.get("schedule"):
        said.append(f"By the schedule {learn['schedule']} (minute, hour, day, month, weekday), in {_zone(learn)}.")
    if drift.get("learn"):
        said.append(
            "When its data drifts over a limit" + _pause(drift.get("cooldown"), "; then not again for {}") + "."
        )
    said.append("When a person asks for it, or a program tells that data has arrived.")
    if learn.get("at_most_every"):
        said.append(f"Never more often than every {span(learn['at_most_every'])}.")
    said.append(_ON_WAKE[learn.get("on_wake", learning.TOGETHER)])
    if gate.get("metric"):
        said.append(asked(gate))
    return said


def _data(learn: Mapping[str, Any]) -> str:
    least = learn.get("min_samples", 1)
    quiet, longest = learn.get("quiet") or 0, learn.get("max_wait") or 0
    words = "When a new sample has arrived" if least == 1 else f"When {least:,} new samples have arrived"
    if quiet:
        words += f" and none came for {span(quiet)}"
        words += f", at the latest after {span(longest)}" if longest else ""
    return words + "."


def _zone(learn: Mapping[str, Any]) -> str:
    return str(learn.get("time_zone") or "UTC")


def _pause(seconds: float | None, words: str) -> str:
    return words.format(span(seconds)) if seconds else ""


def asked(gate: Mapping[str, Any]) -> str:
    """What a new version has to show."""
    is_lower, least = gate.get("direction", "min") == "min", gate.get("minimum_improvement") or 0
    way, other = ("lower", "higher") if is_lower else ("higher", "lower")
    words = f"What it learned goes live if its {gate['metric']} on data kept aside is {way}"
    words += f" by at least {least:g}" if least > 0 else f", or at most {-least:g} {other}" if least < 0 else ""
    return words + (", and a person approves." if gate.get("approve") == "manual" else ".")


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
