"""Applications: draft, act, describe. Floor 2: may use store, files, engines, domain."""

import re
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction

from ovd.schema import FieldError
from ovd_saas.appcore import editions
from ovd_saas.appcore.refusals import Refusal
from ovd_saas.domain import applications as rules
from ovd_saas.domain import outlook, service
from ovd_saas.store import transitions
from ovd_saas.store.notices import notify
from ovd_saas.store.records import Application, Organisation

RACE = timedelta(minutes=10)  # within it, who is refused is told who was faster
NAME = re.compile(r"[a-z][a-z0-9-]{0,38}[a-z0-9]")


class NotAllowed(Refusal):
    """The action is not possible in its present state; the detail says why."""

    code = "not_allowed"


class NameTaken(Refusal):
    """The organisation has an application of that name."""

    code = "name_taken"


class BadName(Refusal):
    """Not a name that can stand in an address."""

    code = "bad_name"
    http = 422


def draft(
    *,
    organisation: Organisation,
    name: str,
    title: str = "",
    summary: str = "",
    by: str,
    by_id: int | None,
    now: datetime,
) -> Application:
    """Afterwards the application exists, as a draft. Raises BadName, NameTaken."""
    check_name(name)
    try:
        with transaction.atomic():
            application = Application.objects.create(
                organisation=organisation, name=name, title=title or name, summary=summary,
                since=now, created_by_id=by_id, reason="No release is ready yet.",
                next_what="Opens when a release is ready.",
            )  # fmt: skip
            transitions.record(application.pk, "status", "", "draft", "create", reason="Created.", now=now, actor=by)
    except IntegrityError:
        raise NameTaken(f"{organisation.slug} has an application {name} already.") from None
    return application


def check_name(name: str) -> None:
    """Nothing, when an application may be called so. Raises BadName."""
    if not NAME.fullmatch(name):
        rule = "use 2 to 40 lower-case letters, digits and hyphens, beginning with a letter, not ending with a hyphen."
        shown = repr(name if len(name) <= 60 else name[:59] + "…")
        raise BadName(f"Application name {shown}: {rule}", errors=[FieldError("name", rule.capitalize())])


def act(*, application: Application, action: str, by: str, now: datetime) -> Application:
    """Afterwards the person's wish is on record and AppCore has been told. Raises NotAllowed with the reason.

    `action` is one of `domain.applications.ACTIONS`. Waking and sleeping take a moment: the application that is
    returned says what happens next.
    """
    with transaction.atomic():
        application = editions.locked(application.pk)
        refusal = rules.refusal(
            action, application.status, application.service, application.health,
            has_release=application.release is not None,
        )  # fmt: skip
        if refusal is not None:
            raise NotAllowed(f"{action.capitalize()} {application.address}: {refusal}{_lately(application, now)}")
        _do(application, action, by, now)
    application.refresh_from_db()
    return application


def _lately(application: Application, now: datetime) -> str:
    """Who was faster, when the status was changed a moment ago; to go behind a sentence."""
    rows = application.transitions.filter(region="status", at__gt=now - RACE, actor__startswith="user:")
    last = rows.order_by("-id").first()
    if last is None or last.target != application.status:
        return ""
    seconds = max(1, round((now - last.at).total_seconds()))
    return f" {last.reason.removesuffix('.')}, {seconds} s ago."


def describe(*, application: Application, title: str | None = None, summary: str | None = None, by: str) -> Application:
    """Afterwards title and summary are as given; None leaves one as it is."""
    changed: dict[str, Any] = {
        name: value for name, value in (("title", title), ("summary", summary)) if value is not None
    }
    if changed:
        with transaction.atomic():
            Application.objects.filter(pk=application.pk).update(**changed)
            notify("application", id=application.pk)
        application.refresh_from_db()
    return application


def _do(application: Application, action: str, by: str, now: datetime) -> None:
    """The wish of a person: wake and sleep are asked of AppCore; the rest are transitions of the status."""
    name = by.removeprefix("user:")
    wishes = Application.objects.filter(pk=application.pk)
    if action == rules.WAKE:
        wishes.update(wake_asked_at=now, sleep_asked_at=None, start_failures=0, retry_at=None,
                      next_what="Wakes now.", next_at=None)  # fmt: skip
        notify("application", id=application.pk)
    elif action == rules.SLEEP:
        wishes.update(sleep_asked_at=now, wake_asked_at=None, next_what="Falls asleep now.", next_at=None)
        notify("application", id=application.pk)
    else:
        past = {rules.SUSPEND: "Suspended", rules.ENABLE: "Enabled", rules.RETIRE: "Retired"}[action]
        transitions.move(
            application.pk, "status", action, reason=f"{past} by {name}.", now=now, actor=by,
            wake_asked_at=None, sleep_asked_at=None, next_what=_next(application, action), next_at=None,
            wakes_at=now if action == rules.ENABLE else None,
        )  # fmt: skip


def _next(application: Application, action: str) -> str:
    """What is next after a change of the status; an application that is not asleep falls asleep first."""
    if action == rules.ENABLE:
        return outlook.SLEEPS_ON
    if application.service != service.ASLEEP:
        return "Falls asleep now."
    return "Nothing: it is retired." if action == rules.RETIRE else "Nothing, until a person enables it."
