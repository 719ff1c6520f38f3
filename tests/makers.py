"""Makers of rows for tests: an organisation with people, an application with a ready release."""

from typing import Any

from django.utils import timezone

from ovd_saas.store.records import Application, Membership, Organisation, Release, User

SCHEMA = {
    "version": 1,
    "inputs": {
        "type": "object",
        "additionalProperties": False,
        "required": ["text"],
        "properties": {"text": {"type": "string", "x-ovd": {"kind": "text", "order": 0}}},
    },
    "outputs": {"type": "object", "properties": {}},
    "samples": [],
}


def organisation(slug: str = "acme") -> Organisation:
    return Organisation.objects.get_or_create(slug=slug, defaults={"title": slug.capitalize()})[0]


def user(name: str = "ana", role: str = "owner", slug: str = "acme") -> User:
    made, _ = User.objects.get_or_create(username=name)
    Membership.objects.get_or_create(organisation=organisation(slug), user=made, defaults={"role": role})
    return made


def draft(name: str = "echo", slug: str = "acme") -> Application:
    return Application.objects.create(organisation=organisation(slug), name=name, title=name, since=timezone.now())


def release(application: Application, number: int = 1, **manifest: Any) -> Release:
    return Release.objects.create(
        application=application,
        number=number,
        state="ready",
        digest=f"sha256:{number:064x}",
        environment="sha256:" + "e" * 64,
        schema=SCHEMA,
        manifest={"execute": {"timeout": 60, "concurrency": 1, "max_queue": 1000, "max_attempts": 3}, **manifest},
    )


def application(name: str = "echo", slug: str = "acme", **manifest: Any) -> Application:
    """Enabled, asleep, with a ready release."""
    made = draft(name, slug)
    Application.objects.filter(pk=made.pk).update(status="enabled", release=release(made, **manifest))
    return Application.objects.select_related("organisation", "release").get(pk=made.pk)
