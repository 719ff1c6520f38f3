"""Liveness: whether the database answers, an AppCore leads, and runners are up. Floor 1."""

from collections.abc import Iterable

from django.db import connection
from django.db.models import QuerySet

from ovd_saas.domain import processes as states
from ovd_saas.store.queries.applications import Viewer
from ovd_saas.store.records import Process, Runner

LEADER_KEY = 0x6F7664  # the advisory lock that the leading AppCore holds as long as it lives

_LEADS = """
    SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = 0 AND objid = %s
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"""


def database_answers() -> None:
    """Raises django.db.Error when it does not."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def appcore_leads() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_LEADS, [LEADER_KEY])
        return bool(cursor.fetchone()[0])


def runners() -> QuerySet[Runner]:
    return Runner.objects.order_by("name")


def processes_on(runners: Iterable[Runner], viewer: Viewer) -> QuerySet[Process]:
    """Living processes on these runners, of applications that the viewer may see."""
    rows = Process.objects.filter(runner__in=list(runners)).exclude(state=states.ENDED)
    rows = rows.select_related("application__organisation", "release").order_by("started_at")
    return rows if viewer.is_staff else rows.filter(application__organisation__slug__in=list(viewer.roles))
