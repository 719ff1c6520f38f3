"""Drift in words and bars: how far the latest data is from what the live version learned from. Floor 3."""

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext_lazy as _

from ovd_saas.assets import figures
from ovd_saas.store.records import DriftMeasure

MEASURES = {  # name -> what it is for people, and what it stands for
    "psi": (_("shape"), _("Population stability index: how much the shares of the value's ranges have moved.")),
    "ks": (_("values"), _("Kolmogorov–Smirnov: the largest gap between the two distributions, 0 to 1.")),
    "js": (_("mix"), _("Jensen–Shannon distance: how much the mix of categories has changed, 0 to 1.")),
    "missing": (_("missing"), _("How much more often the value is missing than it was.")),
}
WIDEST = 2.0  # a bar ends at so many times its limit
MOST_LINES = 6  # of the history: the fields that are nearest to their limit


def of(measures: Sequence[DriftMeasure]) -> dict[str, Any] | None:
    """The latest of these measures with a bar for each measure of a field, and its history; None without any."""
    if not measures:
        return None
    latest = measures[-1]
    bars = [bar for name, field in latest.fields.items() for bar in _bars(name, field)]
    bars.sort(key=lambda bar: -bar["share"])
    return {
        "latest": latest,
        "bars": bars,
        "unlimited": [name for name, field in latest.fields.items() if not list(_bars(name, field))],
        "history": _history([one for one in measures if one.fields]),
    }


def _bars(name: str, field: dict[str, Any]) -> list[dict[str, Any]]:
    measures, limits = field.get("measures") or {}, field.get("limits") or {}
    found = []
    for measure, value in measures.items():
        limit = limits.get(measure)
        if not limit or value is None:
            continue
        word, help_ = MEASURES.get(measure, (measure, ""))
        share = max(0.0, value / limit)
        found.append(
            {
                "field": name,
                "word": word,
                "help": help_,
                "value": value,
                "limit": limit,
                "share": share,
                "width": f"{100 * min(share, WIDEST) / WIDEST:.1f}",
                "is_over": share > 1,
            }
        )
    return found


def _history(measures: Sequence[DriftMeasure]) -> Any:
    """Each field's largest share of a limit over time; None where one moment is all there is."""
    if len(measures) < 2:
        return None
    worst = [{name: _worst(name, field) for name, field in one.fields.items()} for one in measures]
    names = sorted(worst[-1], key=lambda name: -(worst[-1][name] or 0))[:MOST_LINES]
    return figures.drift([one.at for one in measures], {name: [row.get(name) for row in worst] for name in names})


def _worst(name: str, field: dict[str, Any]) -> float | None:
    shares = [bar["share"] for bar in _bars(name, field)]
    return round(max(shares), 4) if shares else None
