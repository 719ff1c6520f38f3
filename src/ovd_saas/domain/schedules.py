"""Schedules: the moments of a cron expression in a time zone. Floor 0: pure.

As Debian's cron has it: what falls into the hour that a clock skips happens once, right after it; what falls into the
hour that a clock repeats happens once, the first time. Expressions for every hour or minute go by elapsed time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

_LOOK_BACK = timedelta(days=1)  # in which the latest of several moments is sought


class BadSchedule(ValueError):
    """The expression or the time zone is none; the message says which part."""


@dataclass(frozen=True)
class Passed:
    """The moments that passed, as one."""

    first: datetime  # UTC
    last: datetime  # UTC; the latest within a day, or else the first
    is_more: bool  # than one


class Schedule:
    """Five fields of cron and an IANA time zone. Raises BadSchedule."""

    def __init__(self, expression: str, time_zone: str) -> None:
        if not is_zone(time_zone):
            raise BadSchedule(f"There is no time zone {time_zone!r}.")
        self._expression = expression
        self._zone = ZoneInfo(time_zone)
        try:
            CronSim(expression, datetime(2026, 1, 1, tzinfo=UTC))
        except CronSimError as error:
            raise BadSchedule(f"{error}.") from None

    def after(self, moment: datetime) -> datetime | None:
        """The first moment after this one, in UTC; None when there is none in the next fifty years."""
        return next(self._after(moment), None)

    def passed(self, since: datetime, now: datetime) -> Passed | None:
        """What lies after `since` and not after `now`; None when nothing does."""
        first = self.after(since)
        if first is None or first > now:
            return None
        last = first
        for moment in self._after(max(first, now - _LOOK_BACK)):
            if moment > now:
                break
            last = moment
        return Passed(first, last, is_more=last > first)

    def _after(self, moment: datetime) -> Iterator[datetime]:
        """In UTC and strictly increasing: in the hour that a clock repeats, cronsim goes by the clock's face, and may
        name a moment that has passed; the minutes that a clock skips all become the same one."""
        last = moment.astimezone(UTC)
        for local in CronSim(self._expression, moment.astimezone(self._zone)):
            found = local.astimezone(UTC)
            if found > last:
                last = found
                yield found


@lru_cache(maxsize=64)
def is_zone(name: str) -> bool:
    """Whether there is a time zone of that name."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
