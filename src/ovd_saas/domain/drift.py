"""Drift: whether the latest samples still look like those that the active version learned from. Floor 0: pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ovd_saas.domain import divergences, figures
from ovd_saas.domain.profiles import CATEGORY, NUMBER, FieldProfile, Profile, tally

LEAST = 20  # samples, on both sides, without which nothing is said
ALPHA = 0.001  # probability that chance alone says drift in one look, over all fields and measures together
RANGES = 10  # of the PSI: tenths of the reference
NAMED = 3  # fields in a sentence

PSI, KS, JS, GONE = "psi", "ks", "js", "missing"
ALWAYS_TOLD = {PSI: 3.0, KS: 0.75, JS: 0.75, GONE: 0.5}  # next to nothing in common: chance raises no limit above this
LOOKED_AT = {NUMBER: (PSI, KS, GONE), CATEGORY: (JS, GONE)}  # the rest: only whether there is a value


@dataclass(frozen=True)
class Rule:
    """The table [drift] of a manifest. A limit of 0: not looked at."""

    window: int = 500  # latest samples that are compared
    fields: tuple[str, ...] = ()  # watched; empty: all that can be
    psi: float = 0.25
    ks: float = 0.2
    js: float = 0.1  # distance, 0..1
    missing: float = 0.1  # increase of the share of missing values


@dataclass(frozen=True)
class Reading:
    """One look. `fields`: name -> {kind, measures, limits, is_drifting}; a limit is the manifest's, or what chance
    alone may bring with so few samples, whichever is more."""

    is_drifting: bool
    samples: int  # in the window
    sentence: str
    fields: dict[str, dict[str, Any]] = field(default_factory=dict)


def rule_of(manifest_drift: Mapping[str, Any] | None) -> Rule | None:
    """The rule in the table [drift] of a release's manifest; None when drift is not watched."""
    if manifest_drift is None:
        return None
    known = {name: manifest_drift[name] for name in Rule.__dataclass_fields__ if name in manifest_drift}
    return Rule(**{**known, "fields": tuple(known.get("fields") or ())})


def read(rule: Rule, reference: Profile, window: Mapping[str, bytes], samples: int, *, learner: str) -> Reading:
    """Compare a window of so many samples, as `profiles.encode` made it, with the reference; the order of the samples
    does not matter. `learner` is how people call the version that learned from the reference ("version 3")."""
    if reference.samples < LEAST:
        return Reading(False, samples, f"{learner.capitalize()} learned from {reference.samples} samples; "
                       f"with fewer than {LEAST} nothing can be compared.")  # fmt: skip
    if samples < LEAST:
        have = "1 sample has" if samples == 1 else f"{samples} samples have"
        return Reading(False, samples, f"{have} arrived since {learner} learned; {LEAST} are needed to compare.")
    looks = sum(len(_limits(rule, profile)) for profile in reference.fields.values())
    alpha = ALPHA / max(1, looks)
    fields = {name: _field(rule, profile, window[name], alpha) for name, profile in reference.fields.items()}
    drifting = [name for name, found in fields.items() if found["is_drifting"]]
    return Reading(bool(drifting), samples, _sentence(fields, drifting, samples, learner), fields)


def ranges(counts: Sequence[int]) -> list[int]:
    """The range that each cell of a number belongs to: tenths of the reference, open at both ends; where too few values
    repeat for that, the cells themselves."""
    least, found, place, gathered, left = sum(counts) / RANGES, [], 0, 0, sum(counts)
    for count in counts:
        found.append(place)
        gathered, left = gathered + count, left - count
        if gathered >= least and left > 0:
            place, gathered = place + 1, 0
    return found if place else list(range(len(counts)))


def _limits(rule: Rule, profile: FieldProfile) -> dict[str, float]:
    """What is looked at in a field, with the manifest's limits."""
    named = {measure: getattr(rule, measure) for measure in LOOKED_AT.get(profile.way, (GONE,))}
    return {measure: limit for measure, limit in named.items() if limit > 0}


def _field(rule: Rule, profile: FieldProfile, codes: bytes, alpha: float) -> dict[str, Any]:
    counts, missing = tally(profile, codes)
    both = _Both(profile, counts, missing, alpha)
    measures: dict[str, float] = {}
    limits: dict[str, float] = {}
    for measure, limit in _limits(rule, profile).items():
        if measure == GONE or (profile.present >= LEAST and sum(counts) >= LEAST):
            value, by_chance = both.measured(measure)
            measures[measure] = round(value, 6)
            limits[measure] = round(max(limit, min(by_chance, ALWAYS_TOLD[measure])), 6)
    is_drifting = any(measures[measure] > limits[measure] for measure in measures)
    return {"kind": profile.kind, "measures": measures, "limits": limits, "is_drifting": is_drifting}


@dataclass(frozen=True)
class _Both:
    """A field of the reference and of the window."""

    profile: FieldProfile
    counts: list[int]  # of the window, per cell
    missing: int  # in the window
    alpha: float

    def measured(self, measure: str) -> tuple[float, float]:
        """The measure, and what chance alone may bring it to."""
        reference, alpha = self.profile.counts, self.alpha
        sizes = self._worth(sum(reference)), self._worth(sum(self.counts))
        if measure == PSI:
            first, second = self._by_range(reference), self._by_range(self.counts)
            return divergences.psi(first, second), divergences.psi_by_chance(len(first), *sizes, alpha=alpha)
        if measure == KS:
            return (
                divergences.kolmogorov_smirnov(reference, self.counts),
                divergences.ks_by_chance(*sizes, alpha=alpha),
            )
        if measure == JS:
            cells = sum(1 for pair in zip(reference, self.counts, strict=True) if any(pair))
            return (
                divergences.jensen_shannon(reference, self.counts),
                divergences.js_by_chance(cells, *sizes, alpha=alpha),
            )
        return self._gone(sum(reference) + self.profile.missing, sum(self.counts) + self.missing)

    def _gone(self, of_reference: int, of_window: int) -> tuple[float, float]:
        before, now = self.profile.missing / of_reference, self.missing / of_window
        sizes = self._worth(of_reference), self._worth(of_window)
        return now - before, divergences.increase_by_chance(before, *sizes, alpha=self.alpha)

    def _worth(self, samples: int) -> float:
        """So many independent samples tell as much: n (1 − ρ) / (1 + ρ) where each resembles the one before by ρ (G. E.
        P. Box, G. Jenkins, Time Series Analysis, 1970, for the variance of a mean)."""
        return max(1.0, samples * (1 - self.profile.memory) / (1 + self.profile.memory))

    def _by_range(self, counts: Sequence[int]) -> list[int]:
        places = ranges(self.profile.counts)
        found = [0] * (places[-1] + 1)
        for place, count in zip(places, counts, strict=True):
            found[place] += count
        return found


def _sentence(fields: Mapping[str, Mapping[str, Any]], drifting: Sequence[str], samples: int, learner: str) -> str:
    if not fields:
        return "No field can be watched: there is no number, choice, boolean or short text among the samples."
    what = "1 field" if len(fields) == 1 else f"{len(fields)} fields"
    if not drifting:
        return f"No drift: the last {samples:,} samples look like those that {learner} learned from ({what} watched)."
    said = [f"{name} ({_over(fields[name])})" for name in drifting[:NAMED]]
    if len(drifting) > NAMED:
        said.append(f"{len(drifting) - NAMED} more")
    fields_said = said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"
    return f"Drift in {fields_said}: the last {samples:,} samples differ from those that {learner} learned from."


def _over(found: Mapping[str, Any]) -> str:
    measures, limits = found["measures"], found["limits"]
    over = [measure for measure in measures if measures[measure] > limits[measure]]
    pairs = [(measure, *figures.between(measures[measure], limits[measure])) for measure in over]
    return ", ".join(f"{measure} {value}, limit {limit}" for measure, value, limit in pairs)
