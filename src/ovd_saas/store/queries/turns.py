"""Turns: the order in which those who wait for an application are served (`domain.outcomes.fair`). Floor 1.

Round robin over callers needs to know who was served last; that is read from what started lately.
"""

LATELY = 200  # executions looked at

ORDER = f"""
    SELECT waiting.id, row_number() OVER (ORDER BY turn, served.at NULLS FIRST, created_at, id) AS place
    FROM (
        SELECT id, caller, created_at, row_number() OVER (PARTITION BY caller ORDER BY created_at, id) AS turn
        FROM store_execution
        WHERE application_id = %(application)s AND status = 'queued' AND created_at <= %(before)s
    ) AS waiting
    LEFT JOIN (
        SELECT caller, max(started_at) AS at FROM (
            SELECT caller, started_at FROM store_execution
            WHERE application_id = %(application)s AND status <> 'queued' AND started_at IS NOT NULL
            ORDER BY created_at DESC LIMIT {LATELY}
        ) AS lately GROUP BY caller
    ) AS served USING (caller)"""  # noqa: S608 - the number above, nothing else
"""Needs `application` and `before` (created until then); gives `(id, place)`, 1 = next."""
