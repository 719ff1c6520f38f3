"""Queue: a new execution becomes a row that waits, in one statement. Floor 1."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from ovd_saas.domain import health, status
from ovd_saas.store import statements
from ovd_saas.store.notices import CHANNEL

_ENTER = f"""
    WITH application AS (
        SELECT id FROM store_application WHERE id = %(application)s AND status = '{status.ENABLED}'
            AND release_id IS NOT NULL AND (health <> '{health.FAULTY}' OR retry_at IS NULL OR retry_at <= %(now)s)
            AND %(most)s > (SELECT count(*) FROM (
                SELECT FROM store_execution WHERE application_id = %(application)s AND status = 'queued' LIMIT %(most)s
            ) AS waiting)
    ), entered AS (
        INSERT INTO store_execution (
            id, application_id, status, inputs, seed, created_at, deadline_at, caller, created_by_id, cause,
            request_digest, consent, log, digests, hardware, attempts, lease
        ) SELECT %(id)s::uuid, id, 'queued', %(inputs)s::jsonb, %(seed)s, %(now)s,
            %(deadline)s::timestamptz, %(caller)s::text, %(by)s::bigint, %(cause)s::jsonb, %(request)s::text,
            %(consent)s, '', '{{}}', '{{}}', 0, 0
        FROM application RETURNING id, application_id
    ), told AS (
        INSERT INTO store_executionevent (execution_id, kind, body, at)
        SELECT id, 'status', '{{"status": "queued"}}', %(now)s FROM entered
    )
    SELECT pg_notify('{CHANNEL}', json_build_object('about', 'queue', 'application', application_id)::text),
        pg_notify('{CHANNEL}', json_build_object(
        'about', 'execution', 'id', id, 'application', application_id, 'status', 'queued')::text)
    FROM entered"""  # noqa: S608 - constants


def enter(
    *,
    id_: UUID,
    application_id: int,
    inputs: Mapping[str, Any],
    seed: int,
    deadline_at: datetime | None,
    caller: str,
    by_id: int | None,
    cause: Mapping[str, Any],
    request_digest: str,
    consent: bool,
    most: int,
    now: datetime,
) -> bool:
    """Afterwards it is on disk, queued, and everybody has been told; False, and nothing happened, when its application
    takes none now, or has `most` waiting."""
    rows = statements.run(
        _ENTER,
        {
            "id": id_,
            "application": application_id,
            "inputs": json.dumps(inputs),
            "seed": seed,
            "deadline": deadline_at,
            "caller": caller,
            "by": by_id,
            "cause": json.dumps(cause),
            "request": request_digest,
            "consent": consent,
            "most": most,
            "now": now,
        },
    )
    return bool(rows)
