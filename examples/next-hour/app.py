"""NextHour: forecasts the flow one hour ahead, and learns from each true value that is reported. An online learner."""

from pathlib import Path

import online

from ovd import App, Context, Evaluation, Outputs, Samples, number, text

CURVE = 24  # samples between two points of the curves


class NextHourOutputs(Outputs):
    """What a user gets."""

    forecast: float = number(unit="l/s", label="Flow in the next hour")
    error: float = number(unit="l/s", label="Usual error", help="Mean over all hours so far, each forecast beforehand.")
    note: str = text(label="How this was made")


class NextHour(App):
    """The flow of the next hour. The names of the inputs are those of the fields of a sample, so that feedback on an
    execution is a sample."""

    model = online.Online()

    def setup(self, model: Path | None) -> None:
        """Reads the live model, if there is one."""
        self.model = online.load(model) if model is not None else online.Online()

    def execute(
        self,
        context: Context,
        last_hour: float = number(unit="l/s", label="Flow in the last hour"),
        two_hours_ago: float = number(unit="l/s", label="One hour before that"),
        a_day_ago: float = number(unit="l/s", label="Flow a day before the next hour"),
        a_day_and_an_hour_ago: float = number(unit="l/s", label="One hour before that, too"),
    ) -> NextHourOutputs:
        """Forecasts one value."""
        sample = dict(zip(online.FIELDS, (last_hour, two_hours_ago, a_day_ago, a_day_and_an_hour_ago), strict=True))
        return NextHourOutputs(
            forecast=round(self.model.predict(sample), 4), error=round(self.model.progressive_mae, 4), note=self.note()
        )

    def note(self) -> str:
        """What a reader must know to judge the forecast."""
        if not self.model.seen:
            return "Persistence, because nothing was learned yet: the next hour is like the last one."
        return (
            f"Learned from {self.model.seen} hours, one after the other. Forecasts made before learning from each were "
            f"wrong by {self.model.progressive_mae:.3f} l/s on average, against "
            f"{self.model.persistence_mae:.3f} l/s for persistence."
        )

    def learn(self, context: Context, data: Samples, parent: Path | None, target: Path) -> dict[str, float]:
        """Goes on from `parent` with the samples that it has not learned, one by one: predict, then learn.

        The errors of the predictions are the progressive validation; they are recorded as curves over all samples
        ever seen, with those of persistence beside them.
        """
        model = online.load(parent) if parent is not None else online.Online()
        errors = []
        for sample in data:
            errors.append(model.learn(sample))
            if model.seen % CURVE == 0:
                context.metric("progressive_mae", model.progressive_mae, step=model.seen)
                context.metric("persistence_mae", model.persistence_mae, step=model.seen)
                context.progress(len(errors) / len(data), f"{model.seen} hours seen")
        model.save(target)
        context.log(f"{len(errors)} new hours, {model.seen} in all; weights {[round(w, 3) for w in model.weights]}")
        return {
            "seen": float(model.seen),
            "progressive_mae": model.progressive_mae,
            "persistence_mae": model.persistence_mae,
            "mae_of_new": sum(errors) / len(errors),
        }

    def evaluate(self, context: Context, data: Samples) -> Evaluation:
        """Forecasts each sample with the model as it is; without one, this judges persistence."""
        errors = [abs(float(sample["flow"]) - self.model.predict(sample)) for sample in data]
        context.progress(1.0, f"judged {len(errors)} hours")
        return Evaluation(metrics={"mae": sum(errors) / len(errors)}, scores=errors)
