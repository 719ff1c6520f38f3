"""The door itself: all operations of API v1 in one place. Floor 3."""

from ninja import NinjaAPI

from ovd_saas.api import callers, openapi, problems, strictness
from ovd_saas.api.shapes import Renderer
from ovd_saas.api.v1 import applications, events, executions, files, people, platform, releases, timeline


def build() -> NinjaAPI:
    api = openapi.Documented(
        title="OVD-SaaS",
        description=openapi.DESCRIPTION,
        version="1.0.0",
        urls_namespace="api-v1",
        auth=list(callers.ANY),
        renderer=Renderer(),
    )
    problems.install(api)
    api.add_decorator(strictness.no_unknown_query, mode="view")
    for noun in (applications, releases, executions, events, files, timeline, people, platform):
        api.add_router("", noun.router)
    return api
