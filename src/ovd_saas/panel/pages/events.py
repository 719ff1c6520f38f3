"""Events: one stream a browser tab, of what changed; pages then fetch the parts that show it. Floor 3."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.views.decorators.http import require_safe

from ovd_saas.appcore import access
from ovd_saas.store import connections, notices
from ovd_saas.store.records import Application

QUIET = 20.0  # seconds of silence before a comment keeps the connection open
ANYBODY = frozenset({"reconnected", "runner", "measure", "access"})  # notices that name nobody's application

_organisations: dict[int, str] = {}  # application id -> slug of its organisation, which never changes


@require_safe
async def stream(request: HttpRequest) -> HttpResponseBase:
    """Only what the person may see, and only which it was: `{about, application, execution, release, learning}`."""
    user = await request.auser()
    if not user.is_authenticated:
        return HttpResponse("Sign in first.", status=401, content_type="text/plain")
    caller = await sync_to_async(access.of_user, thread_sensitive=False)(user)
    answer = StreamingHttpResponse(_events(caller), content_type="text/event-stream")
    answer["Cache-Control"] = "no-store"
    answer["X-Accel-Buffering"] = "no"
    return answer


async def _events(caller: access.Caller) -> AsyncIterator[str]:
    yield "retry: 2000\n\n"
    await sync_to_async(connections.release)()  # of the thread that this request has for itself as long as it lasts
    with notices.hub().subscribe() as queue:
        while True:
            try:
                notice = await asyncio.wait_for(queue.get(), QUIET)
            except TimeoutError:
                yield ": still here\n\n"
                continue
            if notice["about"] in ("access", "reconnected"):  # perhaps their own rights
                known = await sync_to_async(access.of_id, thread_sensitive=False)(caller.user_id)
                if known is None:
                    return
                caller = known
            event = told(notice)
            if await _may_hear(caller, event):
                yield f"data: {json.dumps(event)}\n\n"


def told(notice: dict[str, Any]) -> dict[str, Any]:
    """A notice in the words of the pages: which application, execution, release or learning run it is about."""
    about = "application" if notice["about"] == "outlook" else notice["about"]
    event = {"about": about}
    if about in ("application", "execution", "release") and "id" in notice:
        event[about] = notice["id"]
    if about == "learning" and notice.get("run"):
        event["learning"] = notice["run"]
    if "application" in notice:
        event["application"] = notice["application"]
    return event


async def _may_hear(caller: access.Caller, event: dict[str, Any]) -> bool:
    if event["about"] in ANYBODY:
        return True
    if "application" not in event:
        return False
    if caller.is_staff:
        return True
    organisation = await _organisation(event["application"])
    return organisation is not None and access.may(caller, access.SEE, organisation)


async def _organisation(application_id: int) -> str | None:
    if application_id not in _organisations:
        rows = Application.objects.filter(pk=application_id).values_list("organisation__slug", flat=True)
        slug = await sync_to_async(rows.first, thread_sensitive=False)()
        if slug is None:
            return None
        _organisations[application_id] = slug
    return _organisations[application_id]
