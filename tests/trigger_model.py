"""The debounce rule once more, as a person would write it on a sheet of paper, to hold the platform to.

It knows nothing of evaluations, lookouts or SQL: every second it asks whether a run has to be made.
"""

from dataclasses import dataclass, field


@dataclass
class Delivery:
    samples: int
    at: int  # s
    is_down: bool = False
    step: int | None = None  # number of the run that took it first, and did not give it back


@dataclass
class Run:
    number: int
    at: int
    state: str = "queued"  # queued | running | over
    took: list[int] = field(default_factory=list)  # numbers of the batches that it took first


@dataclass
class Model:
    """Seconds since the start of the history; `every` etc. are those of the manifest."""

    min_samples: int
    quiet: int
    max_wait: int
    every: int
    period: int  # s between two moments of the schedule, which begin at 0; 0: none
    now: int = 0
    is_enabled: bool = True
    deliveries: list[Delivery] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    is_noticed: bool = False
    scheduled_until: int = 0
    used: int = 0  # number of the newest batch that a run has covered or been made due by

    @property
    def open(self) -> Run | None:
        return next((run for run in self.runs if run.state != "over"), None)

    def batch(self, samples: int) -> None:
        self.deliveries.append(Delivery(samples, self.now))
        self.decide()

    def take_down(self, number: int) -> None:
        self.deliveries[number - 1].is_down = True
        self.decide()

    def notice(self) -> None:
        self.is_noticed = True
        self.decide()

    def ask(self) -> None:
        if self.is_enabled and self.open is None:
            self._make()

    def enable(self, is_enabled: bool) -> None:
        self.is_enabled = is_enabled
        self.decide()

    def pass_time(self, seconds: int) -> None:
        self.decide()
        for _ in range(seconds):
            self.now += 1
            self.decide()

    def sleep(self, seconds: int) -> None:
        """Nobody decides anything meanwhile."""
        self.now += seconds
        self.decide()

    def begin(self) -> None:
        """Takes everything that there is; without any sample it fails."""
        run = self.open
        assert run is not None
        here = [number for number, one in enumerate(self.deliveries, 1) if not one.is_down]
        if not here:
            self.end(came_to_something=False)
            return
        run.state = "running"
        run.took = [number for number in here if self.deliveries[number - 1].step is None]
        for number in run.took:
            self.deliveries[number - 1].step = run.number
        self.used = max(self.used, here[-1])

    def end(self, came_to_something: bool) -> None:
        run = self.open
        assert run is not None
        run.state = "over"
        if not came_to_something:
            for number in run.took:
                self.deliveries[number - 1].step = None
        self.decide()

    def decide(self) -> None:
        """Whether a run has to be made now."""
        if not self.is_enabled or self.open is not None:
            return
        if self.runs and self.now < self.runs[-1].at + self.every:
            return
        is_data = self._is_data_due()
        if is_data:
            self.used = len(self.deliveries) - next(
                behind for behind, one in enumerate(reversed(self.deliveries)) if not one.is_down
            )
        is_scheduled = bool(self.period) and self.now // self.period > self.scheduled_until // self.period
        if is_scheduled and all(one.is_down for one in self.deliveries):
            is_scheduled, self.scheduled_until = False, self.now
        if is_data or is_scheduled or self.is_noticed:
            self.scheduled_until = self.now
            self._make()

    def _is_data_due(self) -> bool:
        new = [one for one in self.deliveries[self.used :] if not one.is_down]
        if not self.min_samples or not new or sum(one.samples for one in new) < self.min_samples:
            return False
        is_quiet = self.now >= max(one.at for one in new) + self.quiet
        waited = bool(self.max_wait) and self.now >= min(one.at for one in new) + self.max_wait
        return is_quiet or waited

    def _make(self) -> None:
        self.is_noticed = False
        self.runs.append(Run(len(self.runs) + 1, self.now))
