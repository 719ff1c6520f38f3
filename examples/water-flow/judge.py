"""Judge: forecasts from every hour of a stretch of data, each made with the hours before it only."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from hours import Hours
from predict import NEEDED, Model, predict, seasonal_naive
from usual import DAY, bridge, compare

HISTORY = 14 * DAY  # hours that each forecast may look back
HORIZON = DAY
LEVEL = 90  # percent
MOST = 500  # forecasts; from longer data they are taken at equal distances


@dataclass(frozen=True)
class Judgement:
    """Errors in l/s. Each hour was forecast up to 24 times, from the hours before it; its error is the mean of these.

    `mae` is the mean of `scores`, so that each hour counts once. Anomalous hours are left out unless said.
    """

    metrics: dict[str, float]
    scores: list[float]  # error of each ordinary hour after the second day, in order of time


def judge(
    hours: Hours, model: Model | None, *, threshold: float, tell: Callable[[float], None] = lambda fraction: None
) -> Judgement:
    """Forecasts 24 hours again and again. Raises ValueError when there are too few hours to judge."""
    ordinary = compare(hours, threshold=threshold, learned=None).flags
    errors: dict[int, list[float]] = defaultdict(list)  # by hour predicted
    naive_errors: dict[int, list[float]] = defaultdict(list)
    all_errors: list[float] = []
    inside = 0
    widths: list[float] = []
    stride = max(1, (len(hours) - NEEDED) // MOST)
    for end in range(NEEDED, len(hours), stride):
        tell(end / len(hours))
        if hours.values[end - 1] is None:
            continue
        past = hours.until(end).last(HISTORY)
        if sum(value is not None for value in past.values) < DAY:
            continue
        usual = compare(past, threshold=threshold, learned=model.usual if model else None)
        forecast = predict(past, usual, horizon=HORIZON, level=LEVEL, model=model)
        filled = bridge(past, compare(past, threshold=threshold, learned=None))
        for lead, value in enumerate(hours.values[end : end + HORIZON], start=1):
            if value is None:
                continue
            error = abs(value - forecast.values[lead - 1])
            all_errors.append(error)
            if ordinary[end + lead - 1]:
                continue
            errors[end + lead - 1].append(error)
            naive_errors[end + lead - 1].append(abs(value - seasonal_naive(filled, len(filled) - 1, lead)))
            inside += forecast.lower[lead - 1] <= value <= forecast.upper[lead - 1]
            widths.append(forecast.upper[lead - 1] - forecast.lower[lead - 1])
    flat = [error for hour in errors.values() for error in hour]
    if not flat:
        raise ValueError(
            f"{len(hours)} hours are too few to judge a forecast: "
            "two days of history and an ordinary hour after them are needed."
        )
    scores = [mean(errors[hour]) for hour in sorted(errors)]
    mae, naive = mean(scores), mean([mean(hour) for hour in naive_errors.values()])
    return Judgement(
        metrics={
            "mae": mae,
            "rmse": math.sqrt(mean([error * error for error in flat])),
            "mae_with_anomalies": mean(all_errors),
            "mae_seasonal_naive": naive,
            "skill": 1 - mae / naive if naive else 0.0,
            "coverage": inside / len(flat),
            "width": mean(widths),
            "forecasts": float(len(flat)),
        },
        scores=scores,
    )


def mean(values: list[float]) -> float:
    """Of a list that is not empty."""
    return math.fsum(values) / len(values)
