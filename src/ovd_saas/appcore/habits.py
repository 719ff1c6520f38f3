"""Habits: look up in the archive whether an application is used regularly. Floor 2: may use store, domain."""

from datetime import datetime, timedelta
from typing import Any

from ovd_saas.domain import habits, service, status
from ovd_saas.store.facts import Facts
from ovd_saas.store.queries import uses

PAUSE = timedelta(minutes=10)  # between two looks into the archive of one application


def looked_up(found: Facts, *, now: datetime) -> dict[str, Any] | None:
    """What `Application.foreseen` is to say from now on; None: what it says. The archive is only looked into when the
    application sleeps, and was used since the last time or what was expected then is over."""
    if not _is_worth_it(found, now):
        return None
    since = now - habits.LOOK_BACK
    firsts = uses.firsts(found.application.pk, since=since, step=habits.STEP)
    expected = habits.expected(firsts, found.desired.zone, now=now)
    noted = {"looked_at": now.isoformat()}
    if expected is not None:
        noted |= {"at": expected.at.isoformat(), "until": expected.until.isoformat(), "why": expected.why}
    return noted


def _is_worth_it(found: Facts, now: datetime) -> bool:
    desired, observed, before = found.desired, found.observed, found.application.foreseen
    if not desired.predict or desired.status != status.ENABLED or observed.service != service.ASLEEP:
        return False
    if before is None:
        return True
    looked_at = datetime.fromisoformat(before["looked_at"])
    if now - looked_at < PAUSE:
        return False
    is_over = observed.foreseen is not None and observed.foreseen.until <= now
    return is_over or (observed.last_used_at is not None and observed.last_used_at > looked_at)
