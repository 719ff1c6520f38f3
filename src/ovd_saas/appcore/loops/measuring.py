"""Measuring: how busy each machine is, once a minute; what is older than two weeks goes. Floor 2."""

from datetime import datetime, timedelta

from django.utils import timezone

from ovd_saas.domain import executions
from ovd_saas.domain import processes as states
from ovd_saas.store import memory
from ovd_saas.store.notices import notify
from ovd_saas.store.queries import measures
from ovd_saas.store.records import Execution, Measure, Process, Runner

PERIOD_SECONDS = 60.0
FIRST_SECONDS = 10.0  # likewise, until there are two moments to compare
KEPT = timedelta(days=14)


class Measuring:
    """One tick writes a measure of each runner that is up: what its processors did since the tick before."""

    def __init__(self) -> None:
        self._before: dict[int, tuple[datetime, float]] = {}  # runner -> moment, seconds of work until then

    def pause(self) -> float:
        """Seconds until the next one."""
        return PERIOD_SECONDS if measures.is_any() else FIRST_SECONDS

    def tick(self) -> bool:
        now = timezone.now()
        found = [self._measured(runner, now) for runner in Runner.objects.filter(is_up=True)]
        made = Measure.objects.bulk_create([one for one in found if one is not None])
        measures.prune(now - KEPT)
        if made:
            notify("measure")
        return False

    def _measured(self, runner: Runner, now: datetime) -> Measure | None:
        """None: it does not say, or there is nothing to compare with."""
        worked, seen_at = runner.facts.get("busy_seconds"), runner.seen_at
        if worked is None or seen_at is None:
            return None
        before = self._before.get(runner.pk)
        self._before[runner.pk] = (seen_at, float(worked))
        if before is None or before[0] >= seen_at or before[1] > float(worked):
            return None  # the machine began to count anew
        passed = (seen_at - before[0]).total_seconds()
        busy = min((float(worked) - before[1]) / passed, float(runner.facts.get("cpus") or 1))
        living = Process.objects.filter(runner=runner).exclude(state=states.ENDED)
        return Measure(
            runner=runner, at=now, busy_cpus=round(busy, 3), used_mb=int(runner.facts.get("used_mb") or 0),
            admitted_mb=memory.held_mb(runner), processes=living.count(),
            waiting=Execution.objects.filter(status=executions.QUEUED).count(),
        )  # fmt: skip
