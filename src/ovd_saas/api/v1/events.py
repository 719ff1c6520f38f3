"""Events of an execution, live and afterwards. Floor 3.

What happened while it was queued or running are rows; what never was one (an execution that was over at once has
none) follows from the execution itself when it is finished: status, log, outputs, and always `done`. Ids go on from
the rows, so a client may leave and come back anywhere.
"""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.http.response import HttpResponseBase
from ninja import Router

from ovd_saas.api import streams
from ovd_saas.api.callers import Request
from ovd_saas.api.streams import Event, News
from ovd_saas.api.v1 import executions, lookups
from ovd_saas.api.v1.resuming import LAST_EVENT_ID, last_event_id
from ovd_saas.appcore import execution_view
from ovd_saas.domain import executions as states
from ovd_saas.store.queries import events as queries
from ovd_saas.store.queries.executions import by_id
from ovd_saas.store.records import Execution, ExecutionEvent

router = Router(tags=["executions"])

_DOCUMENTED = {
    "parameters": [LAST_EVENT_ID],
    "responses": {
        200: {
            "description": "Server-sent events: `status` {status}, `progress` {fraction, message}, "
            "`log` {stream, text}, `output` {name, value}, and at the end `done` with the execution.",
            "content": {
                streams.MEDIA_TYPE: {
                    "schema": {"type": "string"},
                    "example": 'id: 41\nevent: status\ndata: {"status":"running"}\n\n',
                }
            },
        },
        204: {"description": "The stream was read to its end before (Last-Event-ID)."},
    },
}


@router.get("/executions/{uuid:execution_id}/events", summary="Follow an execution", openapi_extra=_DOCUMENTED)
def follow(request: Request, execution_id: UUID) -> HttpResponseBase:
    """Server-sent events from the beginning, or after `Last-Event-ID`; ends after `done`. A comment every 15 seconds
    shows that it lives."""
    execution = lookups.execution(request, execution_id)
    after = last_event_id(request)
    if execution.status in states.FINAL and not news(execution_id, after).events:
        return streams.over()
    return streams.answer(
        lambda last: news(execution_id, last),
        after=after,
        wanted=lambda notice: notice["about"] == "execution" and notice.get("id") == str(execution_id),
    )


def news(execution_id: UUID, after: int) -> News:
    """What happened after the event `after`. The execution is read first: its last events were committed with it."""
    execution = by_id(execution_id)
    if execution is None:
        return News([], is_over=True)
    rows = queries.after(execution_id, after)
    told = [Event(row.pk, row.kind, _body(execution, row)) for row in rows]
    if len(rows) == queries.MOST:
        return News(told, is_more=True)
    if execution.status not in states.FINAL:
        return News(told)
    rest = [event for event in _epilogue(execution) if event.id > after]
    return News(told + rest, is_over=True)


def _epilogue(execution: Execution) -> Iterator[Event]:
    """What no row tells of a finished execution, with the ids after the last row."""
    id_ = queries.last_id(execution.pk)
    for kind, body in _untold(execution):
        id_ += 1
        yield Event(id_, kind, body)


def _untold(execution: Execution) -> Iterator[tuple[str, Any]]:
    kinds = queries.kinds(execution.pk)
    if "status" not in kinds:
        yield "status", {"status": execution.status}
    if execution.log and "log" not in kinds:
        yield "log", {"stream": "stdout", "text": execution.log}
    streamed = queries.streamed_outputs(execution.pk) if "output" in kinds else set()
    for name, value in _with_urls(execution, execution.outputs or {}).items():
        if name not in streamed:
            yield "output", {"name": name, "value": value}
    yield "done", executions.describe(execution)


def _body(execution: Execution, row: ExecutionEvent) -> Any:
    if row.kind != "output":
        return row.body
    name = row.body["name"]
    return {**row.body, "value": _with_urls(execution, {name: row.body["value"]})[name]}


def _with_urls(execution: Execution, values: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = execution_view.with_urls(values, execution_view.address(execution.pk))
    return found
