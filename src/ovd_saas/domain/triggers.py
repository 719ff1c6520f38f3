"""Triggers: what makes learning due: a notice, the schedule, new data, drift. Floor 0: pure.

A trigger is used up by the run that it made due, whatever becomes of that run. While a run is open nothing is due, and
nothing is lost: what came meanwhile is looked at when it ends. While a person has paused them, nothing is due
either, and nobody looks again by himself: what came is looked at when they are resumed.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from ovd.rules import Drift, Learn
from ovd_saas.domain import schedules
from ovd_saas.domain import status as statuses
from ovd_saas.domain.facts import Next

NOTICE = "notice"  # somebody said that new data arrived elsewhere
SCHEDULE = "schedule"  # cron, in the time zone of the manifest
DATA = "data"  # enough new samples, and quiet
DRIFT = "drift"  # what arrives is no longer like what was learned from
MANUAL = "manual"  # a person; never evaluated, only recorded
KINDS = (NOTICE, SCHEDULE, DATA, DRIFT, MANUAL)

DUE = "due"  # a learning run is made
WAITS = "waits"  # it will be due when a moment comes, or when what is in its way has ended
SKIPPED = "skipped"  # something was looked at, and it is not enough
DECISIONS = (DUE, WAITS, SKIPPED)

PULL_SECONDS = 600.0  # how long a notice waits for the sources to be pulled before learning goes without them


@dataclass(frozen=True)
class Rule:
    """What the manifest says about triggers; lengths in seconds."""

    schedule: str  # five fields of cron; empty: none
    time_zone: str  # IANA name
    min_samples: int  # new ones that make learning due; 0: data alone makes nothing due
    quiet: float  # without a new batch
    max_wait: float  # from the first new batch; then quiet is waited for no more; 0: no bound
    at_most_every: float  # between the beginnings of two runs
    drift_learns: bool
    cooldown: float  # between two runs that drift made due
    only_new: bool = False  # it learns only from what the live version has not learned


@dataclass(frozen=True)
class News:
    """The batches that no run has covered or been made due by, without those that were taken down."""

    first: int  # number
    last: int  # number
    samples: int
    since: datetime  # when the first one arrived
    latest: datetime  # when the last one arrived


@dataclass(frozen=True)
class Notice:
    """Somebody said that new data arrived."""

    at: datetime
    by: str  # actor
    note: str
    pulling_since: datetime | None = None  # the sources are being pulled for it


@dataclass(frozen=True)
class Drifting:
    """The latest measure, against the live model, says drift."""

    at: datetime
    through: int  # number of the newest batch that was measured
    reason: str


@dataclass(frozen=True)
class Paused:
    """A person wants nothing but a person to make it learn."""

    at: datetime
    by: str  # actor
    reason: str  # may be empty


@dataclass(frozen=True)
class Facts:
    """What is so with one application."""

    status: str
    scheduled_until: datetime | None = None  # the schedule was looked at up to here; None: never
    notice: Notice | None = None
    news: News | None = None
    drifting: Drifting | None = None
    drift_due_at: datetime | None = None  # when drift made a run due the last time
    last_run: int | None = None  # number of the newest run
    last_run_at: datetime | None = None  # when it was made due
    open_run: int | None = None  # number of the one that is open
    can_learn: bool = True  # there are samples that a run by the schedule would learn from
    paused: Paused | None = None
    unsettled: frozenset[str] = frozenset()  # kinds whose last evaluation was not due, and about something


@dataclass(frozen=True)
class Verdict:
    """What came of looking at one kind of trigger."""

    kind: str
    decision: str
    reason: str  # a sentence
    cause: str  # what was looked at; empty: there is nothing any more
    again_at: datetime | None = None  # None with `waits`: as soon as what is in its way has ended
    is_used_up: bool = False  # it was skipped, and will not be made up for


def rule_of(manifest: Mapping[str, Any]) -> Rule | None:
    """The rule in a manifest; None when the application does not learn."""
    learn = manifest.get("learn")
    if learn is None:
        return None
    drift = manifest.get("drift")
    usual, usual_drift = Learn(), Drift()
    return Rule(
        schedule=str(learn.get("schedule", usual.schedule)),
        time_zone=str(learn.get("time_zone", usual.time_zone)),
        min_samples=int(learn.get("min_samples", usual.min_samples)),
        quiet=float(learn.get("quiet", usual.quiet)),
        max_wait=float(learn.get("max_wait", usual.max_wait)),
        at_most_every=float(learn.get("at_most_every", usual.at_most_every)),
        drift_learns=bool((drift or {}).get("learn", usual_drift.learn)),
        cooldown=float((drift or {}).get("cooldown", usual_drift.cooldown)),
        only_new=learn.get("data", usual.data) == "new",
    )


def look(rule: Rule, facts: Facts, *, now: datetime) -> tuple[Verdict, ...]:
    """One verdict for each kind that there is something to say about. Those that are due are answered by one run."""
    found = (_notice(rule, facts, now), _schedule(rule, facts, now), _data(rule, facts, now), _drift(rule, facts, now))
    verdicts = tuple(verdict for verdict in found if verdict is not None)
    if facts.paused is not None:
        verdicts = tuple(_put_off(verdict, facts.paused) for verdict in verdicts)
    return (*verdicts, *_settled(facts, {verdict.kind for verdict in verdicts}))


def next_of(rule: Rule, facts: Facts, verdicts: Iterable[Verdict]) -> Next | None:
    """When it learns if nothing else happens, and what would make it learn; None while a run is open or due."""
    verdicts = tuple(verdicts)
    if facts.open_run is not None or any(verdict.decision == DUE for verdict in verdicts):
        return None
    if facts.paused is not None:
        return Next(f"Learns only when a person asks: {_name(facts.paused.by)} paused what makes it learn.", None)
    moments = [verdict.again_at for verdict in verdicts if verdict.again_at is not None]
    at = min(moments, default=None)
    missing = rule.min_samples - (facts.news.samples if facts.news else 0)
    if rule.min_samples == 0 or missing <= 0:
        return Next("Learns, if nothing else happens.", at) if at else None
    arrive = "new data arrives" if rule.min_samples == 1 else f"{_missing(missing, facts.news is not None)} arrived"
    if at is None:
        return Next(f"Learns when {arrive}.", None)
    return Next(f"Learns when {arrive}, or at the latest at this moment.", at)


def _put_off(verdict: Verdict, paused: Paused) -> Verdict:
    """What is not enough is not enough; the rest is put off until somebody resumes it. No moment is waited for."""
    if verdict.decision == SKIPPED:
        return replace(verdict, again_at=None)
    why = f": {paused.reason.rstrip('.')}" if paused.reason else ""
    reason = f"Skipped: paused by {_name(paused.by)}{why}. Looked at again when a person resumes it."
    return replace(verdict, decision=SKIPPED, reason=reason, again_at=None)


def _missing(missing: int, some_came: bool) -> str:
    more = "more " if some_came else ""
    return f"{missing} {more}sample has" if missing == 1 else f"{missing} {more}samples have"


def _notice(rule: Rule, facts: Facts, now: datetime) -> Verdict | None:
    notice = facts.notice
    if notice is None:
        return None
    cause = f"notice of {notice.by}: {notice.note}" if notice.note else f"notice of {notice.by}"
    held = _held(NOTICE, rule, facts, cause, now)
    if held is not None:
        return held
    pulled_at = notice.pulling_since + timedelta(seconds=PULL_SECONDS) if notice.pulling_since else now
    if pulled_at > now:
        return Verdict(NOTICE, WAITS, "Waits until the sources are pulled.", cause, pulled_at)
    return Verdict(NOTICE, DUE, f"Due: {_name(notice.by)} said that new data arrived.", cause)


def _schedule(rule: Rule, facts: Facts, now: datetime) -> Verdict | None:
    if not rule.schedule:
        return None
    cron = f'"{rule.schedule}" in {rule.time_zone}'
    try:
        schedule = schedules.Schedule(rule.schedule, rule.time_zone)
    except schedules.BadSchedule as error:
        return Verdict(SCHEDULE, SKIPPED, f"Skipped: the schedule {cron} is not one: {error}", f"schedule {cron}")
    passed = schedule.passed(facts.scheduled_until or now, now)
    if passed is None:
        at = schedule.after(now)
        if at is None:
            return Verdict(SCHEDULE, SKIPPED, f"Skipped: the schedule {cron} has no moment.", f"schedule {cron}")
        reason = f"Waits until {_shown(at, rule, now)}: the next time of the schedule {cron}."
        return Verdict(SCHEDULE, WAITS, reason, _cron(at, rule), at)
    cause = _cron(passed.last, rule)
    held = _held(SCHEDULE, rule, facts, cause, now)
    if held is not None:
        return held
    if not facts.can_learn:
        what = "nothing has arrived that no run has taken" if rule.only_new else "there are no samples to learn from"
        reason = f"Skipped: the schedule {cron} says {_shown(passed.last, rule, now)}, but {what}."
        return Verdict(SCHEDULE, SKIPPED, reason, cause, schedule.after(now), is_used_up=True)
    earlier = f" It also makes up for {_shown(passed.first, rule, now)} and what followed." if passed.is_more else ""
    return Verdict(SCHEDULE, DUE, f"Due: the schedule {cron} says {_shown(passed.last, rule, now)}.{earlier}", cause)


def _data(rule: Rule, facts: Facts, now: datetime) -> Verdict | None:
    news = facts.news
    if news is None:
        return None
    if facts.open_run is not None:
        return _behind(DATA, facts.open_run, f"batches from {news.first} on")
    cause = f"batch {news.first}" if news.first == news.last else f"batches {news.first}-{news.last}"
    if rule.min_samples == 0:
        return Verdict(DATA, SKIPPED, "Skipped: min_samples is 0, so data alone makes nothing due.", cause)
    if news.samples < rule.min_samples:
        return Verdict(DATA, SKIPPED, f"Skipped: only {news.samples} of {rule.min_samples} samples.", cause)
    quiet_at = _quiet_at(rule, news)
    every_at = _every_at(rule, facts)
    if quiet_at is not None and quiet_at > now and (every_at is None or every_at <= quiet_at):
        if facts.status != statuses.ENABLED:
            return _closed(DATA, facts.status, cause)
        reason = f"Waits until {_shown(quiet_at, rule, now)}: new data may still arrive (quiet of {rule.quiet:g} s)."
        return Verdict(DATA, WAITS, reason, cause, quiet_at)
    held = _held(DATA, rule, facts, cause, now)
    return held or Verdict(DATA, DUE, f"Due: {_of_samples(news.samples, rule)}.", cause)


def _quiet_at(rule: Rule, news: News) -> datetime | None:
    """When no more data is waited for; None when it never is."""
    if not rule.quiet:
        return None
    at = news.latest + timedelta(seconds=rule.quiet)
    return min(at, news.since + timedelta(seconds=rule.max_wait)) if rule.max_wait else at


def _of_samples(samples: int, rule: Rule) -> str:
    arrived = "1 new sample has arrived" if samples == 1 else f"{samples} new samples have arrived"
    return f"{arrived}, of {rule.min_samples} needed" if rule.min_samples > 1 else arrived


def _drift(rule: Rule, facts: Facts, now: datetime) -> Verdict | None:
    drifting = facts.drifting
    if drifting is None:
        return None
    cause = f"drift at batch {drifting.through}"
    if not rule.drift_learns:
        return Verdict(DRIFT, SKIPPED, f"Skipped: [drift] has no learn = true. {drifting.reason}", cause)
    if facts.last_run_at is not None and drifting.at <= facts.last_run_at:
        reason = f"Skipped: it was measured before learning run {facts.last_run}; the next measure counts."
        return Verdict(DRIFT, SKIPPED, reason, cause)
    cool_at = facts.drift_due_at + timedelta(seconds=rule.cooldown) if facts.drift_due_at else now
    every_at = _every_at(rule, facts)
    if facts.open_run is None and cool_at > now and (every_at is None or every_at <= cool_at):
        if facts.status != statuses.ENABLED:
            return _closed(DRIFT, facts.status, cause)
        reason = f"Waits until {_shown(cool_at, rule, now)}: drift made it learn lately (cooldown of "
        return Verdict(DRIFT, WAITS, f"{reason}{rule.cooldown:g} s).", cause, cool_at)
    return _held(DRIFT, rule, facts, cause, now) or Verdict(DRIFT, DUE, f"Due: {drifting.reason}", cause)


def _held(kind: str, rule: Rule, facts: Facts, cause: str, now: datetime) -> Verdict | None:
    """What is in the way of a trigger that would be due; None when nothing is."""
    if facts.open_run is not None:
        return _behind(kind, facts.open_run, cause)
    if facts.status != statuses.ENABLED:
        return _closed(kind, facts.status, cause)
    at = _every_at(rule, facts)
    if at is not None and at > now:
        reason = f"Waits until {_shown(at, rule, now)}: learning begins at most every {rule.at_most_every:g} s."
        return Verdict(kind, WAITS, reason, cause, at)
    return None


def _behind(kind: str, run: int, cause: str) -> Verdict:
    return Verdict(kind, WAITS, f"Waits: looked at again when learning run {run} ends.", cause)


def _closed(kind: str, status: str, cause: str) -> Verdict:
    return Verdict(kind, WAITS, f"Waits: the application is {status}; looked at again when it is enabled.", cause)


def _every_at(rule: Rule, facts: Facts) -> datetime | None:
    if facts.last_run_at is None or not rule.at_most_every:
        return None
    return facts.last_run_at + timedelta(seconds=rule.at_most_every)


def _settled(facts: Facts, said: set[str]) -> Iterator[Verdict]:
    """What was waited for and is not there any more: a run took it, or it was taken down."""
    for kind in KINDS:
        if kind in facts.unsettled and kind not in said:
            by = f" Learning run {facts.last_run} was the last." if facts.last_run is not None else ""
            yield Verdict(kind, SKIPPED, f"Skipped: nothing is left that no run has taken.{by}", "")


def _cron(at: datetime, rule: Rule) -> str:
    return f"cron {_local(at, rule).isoformat(timespec='minutes')}"


def _shown(at: datetime, rule: Rule, now: datetime) -> str:
    """A moment in a sentence: in the rule's time zone, with its date unless that is today's."""
    local = _local(at, rule)
    is_today = local.date() == _local(now, rule).date()
    return local.strftime("%H:%M:%S %Z" if is_today else "%Y-%m-%d %H:%M:%S %Z")


def _local(at: datetime, rule: Rule) -> datetime:
    return at.astimezone(ZoneInfo(rule.time_zone) if schedules.is_zone(rule.time_zone) else UTC)


def _name(actor: str) -> str:
    return actor.removeprefix("user:")
