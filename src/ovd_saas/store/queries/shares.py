"""Shares, as doors read them. Floor 1."""

from ovd_saas.store.records import Execution, Share


def of(execution: Execution) -> list[Share]:
    """The links that open it, the newest first."""
    rows = Share.objects.filter(execution=execution, revoked_at=None).select_related("created_by")
    return list(rows.order_by("-created_at", "-id"))


def by_secret(secret: str) -> Share | None:
    """Revoked ones too, each with all that its page shows."""
    rows = Share.objects.select_related("execution__application__organisation", "execution__release")
    return rows.select_related("execution__model").filter(secret=secret).first() if "\0" not in secret else None
