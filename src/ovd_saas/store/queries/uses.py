"""Uses: when an application was used, as coarse as its habits need it. Floor 1."""

from datetime import datetime, timedelta

from django.db import connection

_FIRSTS = """
    WITH RECURSIVE uses(at) AS (
        (SELECT created_at FROM store_execution
         WHERE application_id = %(application)s AND created_at >= %(since)s ORDER BY created_at LIMIT 1)
        UNION ALL
        SELECT (SELECT created_at FROM store_execution
                WHERE application_id = %(application)s AND created_at >= uses.at + make_interval(secs => %(step)s)
                ORDER BY created_at LIMIT 1)
        FROM uses WHERE uses.at IS NOT NULL
    ) SELECT at FROM uses WHERE at IS NOT NULL"""


def firsts(application_id: int, *, since: datetime, step: timedelta) -> list[datetime]:
    """The first use since then, and always the first one that is a `step` after the one before, in order. It costs a
    step down the index each, however many executions lie between them."""
    with connection.cursor() as cursor:
        cursor.execute(_FIRSTS, {"application": application_id, "since": since, "step": step.total_seconds()})
        return [row[0] for row in cursor.fetchall()]
