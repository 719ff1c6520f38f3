"""Shares: links that show one execution to whoever has them, until they are revoked. Floor 2: may use store.

The secret in the address has 256 random bits, so it cannot be guessed, and finding it by its unique index tells nothing
by its timing. It is kept as it is, so that whoever made the link can copy it again.
"""

import secrets
from datetime import datetime
from uuid import UUID

from django.db import transaction

from ovd_saas.appcore.refusals import NotFound, Refusal
from ovd_saas.domain import executions as states
from ovd_saas.store.notices import notify
from ovd_saas.store.queries import shares as queries
from ovd_saas.store.records import Execution, Share

MOST = 20  # links of one execution that open it at once


class NotShareable(Refusal):
    """Only a result can be shared: what succeeded and was not taken down."""

    code = "not_shareable"


class TooManyShares(Refusal):
    """As many links open it as may."""

    code = "too_many_shares"


def make(*, execution_id: UUID, by_id: int, now: datetime) -> Share:
    """Afterwards whoever has the new link sees the inputs and outputs of the execution, without signing in.

    Raises NotFound, NotShareable, TooManyShares.
    """
    with transaction.atomic():
        execution = Execution.objects.select_for_update(no_key=True).filter(pk=execution_id).first()
        if execution is None:
            raise NotFound(f"There is no execution {execution_id}.")
        if why := why_not(execution):
            raise NotShareable(why)
        if Share.objects.filter(execution=execution, revoked_at=None).count() >= MOST:
            raise TooManyShares(f"{MOST} links show this execution already. Revoke one of them, or send one again.")
        secret = secrets.token_urlsafe(32)
        share = Share.objects.create(execution=execution, secret=secret, created_at=now, created_by_id=by_id)
        _tell(execution)
    return share


def revoke(*, execution_id: UUID, share_id: int, now: datetime) -> Share:
    """Afterwards the link opens nothing. Raises NotFound; Revoked when somebody was faster."""
    with transaction.atomic():
        share = Share.objects.select_related("execution").filter(pk=share_id, execution=execution_id).first()
        if share is None:
            raise NotFound("This execution has no such link.")
        if not Share.objects.filter(pk=share_id, revoked_at=None).update(revoked_at=now):
            raise Revoked("This link was revoked already. It opens nothing.")
        _tell(share.execution)
    share.revoked_at = now
    return share


class Revoked(Refusal):
    """The link was revoked before."""

    code = "already_revoked"


def why_not(execution: Execution) -> str:
    """Why there can be no link to it, a sentence; empty when there can."""
    if execution.taken_down_at is not None:
        return "This execution was taken down: there is nothing left to show."
    if execution.status != states.SUCCEEDED:
        return f"This execution is {execution.status}. Only one that succeeded has a result to share."
    return ""


def opened(secret: str) -> Execution:
    """What the link shows. Raises NotFound: it is unknown or revoked, or what it showed was taken down."""
    share = queries.by_secret(secret)
    if share is None or share.revoked_at is not None or why_not(share.execution):
        raise NotFound(
            "This link shows nothing: it was revoked, or it is not complete. Ask whoever sent it for another."
        )
    return share.execution


def _tell(execution: Execution) -> None:
    notify("execution", id=execution.pk, application=execution.application_id, status=execution.status)
