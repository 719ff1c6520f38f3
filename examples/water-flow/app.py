"""WaterFlow: forecasts the flow in a pipeline and flags unusual hours; learns from the hours it is fed.

Executing needs the standard library only, so that waking takes no longer than starting Python.
"""

from datetime import datetime
from pathlib import Path

import predict
from hours import HOUR, Hours, Unsuitable, aware, lay_out
from usual import THRESHOLD, Usual, compare, segments

from ovd import (
    App,
    Context,
    Evaluation,
    Outputs,
    Rejected,
    Samples,
    Series,
    Table,
    integer,
    number,
    series,
    table,
    text,
)

DECIMALS = 4


class Forecast(Outputs):
    """What a user gets."""

    forecast: Series = series(unit="l/s", label="Forecast")
    lower: Series = series(unit="l/s", label="Lower end of the interval")
    upper: Series = series(unit="l/s", label="Upper end of the interval")
    anomalies: Table = table(
        label="Anomalies in the history",
        help="One row for each run of unusual hours; the score is the distance from the expected flow, "
        "in robust standard deviations, at the worst hour.",
    )
    flagged: Series = series(
        unit="l/s", label="Anomalous hours", help="The flow in the flagged hours, no value elsewhere."
    )
    note: str = text(label="How this was made")


class WaterFlow(App):
    """The flow of the coming hours."""

    model: predict.Model | None = None

    def setup(self, model: Path | None) -> None:
        """Reads the live model, if there is one."""
        self.model = predict.load(model) if model is not None else None

    def execute(
        self,
        context: Context,
        history: Series = series(
            minimum_length=24,
            maximum_length=100_000,
            unit="l/s",
            label="Flow so far",
            help="Hourly values, two days or more; two weeks are better. Gaps are allowed.",
        ),
        horizon: int = integer(default=24, minimum=1, maximum=168, unit="h", label="Hours to forecast"),
        level: int = integer(
            default=90,
            minimum=50,
            maximum=99,
            unit="%",
            label="Level of the interval",
            help="How many of the coming values the interval is meant to hold.",
        ),
        threshold: float = number(
            default=THRESHOLD,
            minimum=3,
            maximum=50,
            label="Threshold for anomalies",
            help="In robust standard deviations from the usual flow at that hour. Lower flags more.",
            advanced=True,
        ),
    ) -> Forecast:
        """Forecasts the hours after the last measured one. Raises Rejected when the series cannot be used."""
        try:
            hours = lay_out(history.times, history.values)
        except Unsuitable as unsuitable:
            raise Rejected(str(unsuitable)) from unsuitable
        usual = compare(hours, threshold=threshold, learned=self.model.usual if self.model else None)
        prediction = predict.predict(hours, usual, horizon=horizon, level=level, model=self.model)
        coming = [hours.time(len(hours) + ahead) for ahead in range(horizon)] if hours.has_times else []
        so_far = [hours.time(index) for index in range(len(hours))] if hours.has_times else []
        return Forecast(
            forecast=Series(coming, rounded(prediction.values)),
            lower=Series(coming, rounded(prediction.lower)),
            upper=Series(coming, rounded(prediction.upper)),
            anomalies=anomalies(hours, usual),
            flagged=Series(
                so_far, [value if flag else None for value, flag in zip(hours.values, usual.flags, strict=True)]
            ),
            note=self.note(hours, usual, prediction),
        )

    def note(self, hours: Hours, usual: Usual, prediction: predict.Prediction) -> str:
        """What a reader must know to judge the forecast."""
        sentences = [how_made(self.model, hours, prediction), *hours.remarks]
        count = sum(usual.flags)
        if count:
            sentences.append(f"{count} of {len(hours)} hours are flagged as unusual and were left out of the forecast.")
        if usual.flags[-1]:
            sentences.append(
                "The last hour is one of them: the forecast says what would be usual, not how long this lasts."
            )
        if len({value for value in hours.values if value is not None}) == 1:
            sentences.append("The history does not vary at all: check the meter.")
        return " ".join(sentences)

    def learn(self, context: Context, data: Samples, parent: Path | None, target: Path) -> dict[str, float]:
        """Learns from all of `data` anew, so that a delivery that was taken down leaves nothing behind; `parent` is
        not needed. Fills `target` with `model.json`."""
        import fit

        hours = of_samples(data)
        context.log(f"{len(data)} samples from {hours.time(0).isoformat()} to {hours.time(len(hours) - 1).isoformat()}")

        def tell(first: int, last: int, error: float) -> None:
            """The curve of the error over the lead, and how far it is."""
            context.metric("error_by_lead", error, step=last)
            context.progress(0.95 * last / predict.REACH, f"learned {said(first, last)} ahead")

        lesson = fit.learn(hours, tell)
        fit.save(lesson, target)
        context.log(
            f"Learned from {lesson.hours} hours; ordinary flow {lesson.usual.low:.1f} to {lesson.usual.high:.1f} l/s."
        )
        context.progress(1.0, "saved")
        return {"hours": float(lesson.hours), "scale": lesson.usual.scale, "leads": float(lesson.bands[-1].last)}

    def evaluate(self, context: Context, data: Samples) -> Evaluation:
        """Forecasts 24 hours from every hour of `data`, each time with the hours before it only. Without a model, this
        judges the seasonal-naive forecast."""
        import judge

        judgement = judge.judge(of_samples(data), self.model, threshold=THRESHOLD, tell=context.progress)
        context.progress(1.0, f"judged {len(judgement.scores)} hours")
        return Evaluation(metrics=judgement.metrics, scores=judgement.scores)


def how_made(model: predict.Model | None, hours: Hours, prediction: predict.Prediction) -> str:
    """The first sentence of the note."""
    total = len(prediction.values)
    if model is None:
        return (
            "Seasonal-naive forecast, because no model has been learned yet: each hour repeats the last day, "
            "and the interval comes from how well that worked in the history."
        )
    if not hours.has_times:
        return "Seasonal-naive forecast: the history has no times, which the learned model needs."
    if not prediction.by_model:
        return (
            f"Seasonal-naive forecast: the learned model needs {predict.NEEDED} hours of history "
            f"and there are {len(hours)}."
        )
    rest = "" if prediction.by_model == total else f" The hours after the {prediction.by_model}th are seasonal-naive."
    return f"Forecast by a model learned from {model.hours} hours up to {model.until}.{rest}"


def anomalies(hours: Hours, usual: Usual) -> Table:
    """One row for each run of flagged hours."""
    rows = []
    for segment in segments(usual):
        worst = segment.extreme
        value, score = hours.values[worst] or 0.0, usual.scores[worst] or 0.0
        first, end = hours.time(segment.first), hours.time(segment.last + 1)
        rows.append(
            [
                first.isoformat() if hours.has_times else f"hour {segment.first + 1}",
                end.isoformat() if hours.has_times else f"hour {segment.last + 2}",
                round((end - first) / HOUR),
                "high" if score > 0 else "low",
                round(value, DECIMALS),
                round(usual.expected[worst], DECIMALS),
                round(score, 1),
            ]
        )
    return Table(["start", "end", "hours", "kind", "flow", "expected", "score"], rows)


def said(first: int, last: int) -> str:
    """A band of leads in words."""
    return f"{first} h" if first == last else f"{first} to {last} h"


def of_samples(data: Samples) -> Hours:
    """The samples of a learning run as hours. A moment given as text is read as RFC 3339."""
    times = [time if isinstance(time, datetime) else datetime.fromisoformat(time) for time in data.column("time")]
    newest = dict(zip(map(aware, times), data.column("flow"), strict=True))  # delivered again: the later one counts
    return lay_out(list(newest), list(newest.values()))


def rounded(values: list[float]) -> list[float | None]:
    """To a tenth of a millilitre per second, far below what a meter tells."""
    return [round(value, DECIMALS) for value in values]
