"""Hours: the stretches of time in which an application is kept awake. Floor 0: pure.

Hours are those of a clock on the wall. Where it skips what is meant, they begin (and end) right after that; where it
repeats, both times belong to them. Moments of cron go as in `schedules`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from ovd import hours
from ovd_saas.domain.schedules import BadSchedule, Schedule, is_zone

ALWAYS = timedelta(days=7)  # who is kept awake for longer is kept awake at all times
SHORTEST = 60.0  # seconds that it stays awake after a moment of cron, at least
_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Stretch:
    """From `begin` until before `end`, both UTC."""

    begin: datetime
    end: datetime


@dataclass(frozen=True)
class Hours:
    """What `[sleep] keep_awake` says, in a time zone that exists."""

    text: str
    time_zone: str
    lasts: float  # seconds that it stays awake after a moment of cron

    @property
    def zone(self) -> tzinfo:
        return ZoneInfo(self.time_zone)

    def at(self, now: datetime) -> Stretch | None:
        """The stretch that `now` lies in, with what joins its end; None when it lies in none."""
        if hours.is_cron(self.text):
            passed = Schedule(self.text, self.time_zone).passed(now - self._lasts, now)
            return Stretch(passed.last, passed.last + self._lasts) if passed else None
        return _joined(self, now.replace(second=0, microsecond=0))  # hours begin and end with a minute

    def after(self, now: datetime) -> datetime | None:
        """When the next stretch begins, after `now`; None when none does."""
        if hours.is_cron(self.text):
            return Schedule(self.text, self.time_zone).after(now)
        begins = (stretch.begin for stretch in self._around(now, range(-1, 9)))
        return min((begin for begin in begins if begin > now), default=None)

    def is_always(self, stretch: Stretch) -> bool:
        """Whether its end is too far away to speak of."""
        return stretch.end - stretch.begin >= ALWAYS and not hours.is_cron(self.text)

    @property
    def _lasts(self) -> timedelta:
        return timedelta(seconds=max(self.lasts, SHORTEST))

    def _holding(self, moment: datetime) -> Stretch | None:
        found = [one for one in self._around(moment, range(-2, 2)) if one.begin <= moment < one.end]
        return max(found, key=lambda stretch: stretch.end, default=None)

    def _around(self, moment: datetime, days: range) -> Iterator[Stretch]:
        """The stretches that begin on these days, counted from the one of `moment`."""
        zone = self.zone
        today = moment.astimezone(zone).date()
        for day in days:
            begins_on = today + day * _DAY
            for one in hours.parse(self.text):
                if begins_on.weekday() in one.days:
                    ends_on = begins_on if one.end > one.begin else begins_on + _DAY
                    begin, end = moment_of(begins_on, one.begin, zone), moment_of(ends_on, one.end, zone, is_last=True)
                    if begin < end:
                        yield Stretch(begin, end)


@lru_cache(maxsize=4096)
def _joined(kept: Hours, minute: datetime) -> Stretch | None:
    found = kept._holding(minute)
    while found is not None and found.end - minute < ALWAYS and (more := kept._holding(found.end)) is not None:
        found = Stretch(found.begin, more.end)
    return found


@lru_cache(maxsize=1024)
def of(text: str, time_zone: str, lasts: float) -> Hours | None:
    """The hours of a manifest; None when it names none, or none that can be read."""
    if not text or not is_zone(time_zone) or hours.fault(text):
        return None
    if hours.is_cron(text):
        try:
            Schedule(text, time_zone)
        except BadSchedule:
            return None
    return Hours(text, time_zone, lasts)


def moment_of(day: date, minutes: int, zone: tzinfo, *, is_last: bool = False) -> datetime:
    """The moment, in UTC, at which clocks show so many minutes after midnight; the first after it where they skip it;
    of two the first, or the last."""
    wall = datetime.combine(day, time(), tzinfo=zone) + timedelta(minutes=minutes)
    wall = wall.replace(fold=int(is_last))
    while wall.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != wall.replace(tzinfo=None):
        wall += _MINUTE
    return wall.astimezone(UTC)


def clock(moment: datetime, zone: tzinfo, now: datetime) -> str:
    """ "18:00 UTC", or "Monday at 08:00 CET" when that is another day than `now`'s."""
    local = moment.astimezone(zone)
    day = "" if local.date() == now.astimezone(zone).date() else f"{local:%A} at "
    return f"{day}{local:%H:%M} {local.tzname()}"
