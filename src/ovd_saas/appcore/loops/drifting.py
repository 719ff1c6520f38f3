"""Drifting: look at what arrived since the last look, application by application. Floor 2."""

import structlog
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from ovd_saas.appcore import drift

log = structlog.get_logger()
HEARS = ("batch", "model")


def tick() -> bool:
    """One look at each application that has something new. Whatever is wrong with one, the others are looked at."""
    for application_id in drift.waiting(timezone.now()):
        try:
            drift.measure(application_id, timezone.now())
        except (OperationalError, InterfaceError):
            raise  # the database is nobody's own: the loop connects anew
        except Exception:
            log.exception("drift could not be measured", application=application_id)
    return False
