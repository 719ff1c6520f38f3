"""Failed starts of serving processes: what they count towards. Floor 2: may use store, domain."""

from datetime import datetime

from ovd_saas.appcore import editions, models, releases
from ovd_saas.domain.plan import retry_delay
from ovd_saas.store.records import Application

MOST_TRIES = 3  # of what is to take over; then it is dropped


def count(*, application_id: int, release_id: int, model_id: int | None, reason: str, now: datetime) -> None:
    """Of the current edition: towards being faulty. Of an upcoming one: towards being dropped. An earlier one counts
    nothing. Called in a transaction."""
    application = editions.locked(application_id)
    if (release_id, model_id) == (application.release_id, application.model_id):
        failures = application.start_failures + 1
        Application.objects.filter(pk=application_id).update(
            start_failures=failures, retry_at=now + retry_delay(failures), reason=f"Its last start failed: {reason}"
        )
    elif editions.may_take_over(application, release_id, model_id):
        _count_upcoming(application, release_id, reason, now)


def _count_upcoming(application: Application, release_id: int, reason: str, now: datetime) -> None:
    failures = application.upcoming_failures + 1
    if failures < MOST_TRIES:
        Application.objects.filter(pk=application.pk).update(
            upcoming_failures=failures, retry_at=now + retry_delay(failures)
        )
    elif release_id != application.release_id:
        releases.drop_upcoming(application=application, reason=reason, now=now)
    else:
        models.drop_upcoming(application=application, reason=f"No process gets ready with it: {reason}", now=now)
