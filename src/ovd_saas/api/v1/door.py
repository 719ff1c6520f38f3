"""The door itself: all operations of API v1 in one place. Floor 3."""

from collections.abc import Callable
from typing import Any

from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from ninja import NinjaAPI

from ovd_saas.api import callers, openapi, problems, strictness
from ovd_saas.api.shapes import Renderer
from ovd_saas.api.v1 import (
    applications,
    batches,
    drift,
    events,
    executions,
    feedback,
    files,
    learning_runs,
    members,
    models,
    people,
    platform,
    releases,
    sources,
    timeline,
    triggers,
)

NOUNS = (  # in the order of the documents
    applications,
    releases,
    executions,
    events,
    files,
    batches,
    feedback,
    sources,
    learning_runs,
    models,
    drift,
    triggers,
    timeline,
    people,
    members,
    platform,
)


def build() -> NinjaAPI:
    api = openapi.Documented(
        title="OVD-SaaS",
        description=openapi.DESCRIPTION,
        version="1.0.0",
        urls_namespace="api-v1",
        auth=list(callers.ANY),
        renderer=Renderer(),
        docs_decorator=_to_be_read,
    )
    problems.install(api)
    api.add_decorator(strictness.strictly, mode="view")
    for noun in NOUNS:
        api.add_router("", noun.router)
    return api


def _to_be_read(view: Callable[..., Any]) -> Callable[..., Any]:
    """The documents about this API take GET and HEAD; anything else is 405, whoever sends it."""
    return csrf_exempt(require_safe(view))
