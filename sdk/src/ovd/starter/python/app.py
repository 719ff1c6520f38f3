"""A moving average of a series, and how rough the series was. Put your own method in its place."""

from ovd import App, Context, Outputs, Rejected, Series, integer, number, series


class Smoothed(Outputs):
    """What comes out. Each line is one output: its name, its type, and how pages call it."""

    smoothed: Series = series(label="Smoothed series")
    roughness: float = number(label="Roughness", help="Mean size of the step from one value to the next")


class Application(App):
    def execute(
        self,
        context: Context,
        measurements: Series = series(label="Measurements", minimum_length=2),
        window: int = integer(default=3, minimum=1, maximum=99, label="Window", help="How many values to average"),
    ) -> Smoothed:
        """What comes in is this signature: it gives the form, the checks and the API of the application."""
        if None in measurements.values:
            raise Rejected("The measurements have gaps. Fill them, then send the series again.")
        values = [value for value in measurements.values if value is not None]
        context.log(f"smoothing {len(values)} values")
        smoothed: list[float] = []
        for place in range(len(values)):
            around = values[max(0, place - window // 2) : place + window // 2 + 1]
            smoothed.append(sum(around) / len(around))
            context.progress((place + 1) / len(values))
        steps = [abs(values[place] - values[place - 1]) for place in range(1, len(values))]
        return Smoothed(smoothed=Series(measurements.times, smoothed), roughness=sum(steps) / len(steps))
