"""Drift over HTTP: what is so now, and how it came to be."""

from datetime import UTC, datetime, timedelta

from django.test import Client

import makers
from ovd_saas.store.records import Application, DriftMeasure

A = "/api/v1/applications/acme/echo/drift"
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
FLOW = {"kind": "number", "measures": {"psi": 0.61}, "limits": {"psi": 0.25}, "is_drifting": True}


def test_an_application_without_a_rule_says_so(owner: Client, echo: Application) -> None:
    found = owner.get(A).json()
    assert found == {
        "is_drifting": False, "reason": "Drift is not watched: the manifest has no table [drift].", "model": None,
        "at": None, "samples": 0, "fields": {}, "history": [],
    }  # fmt: skip


def test_one_that_has_no_live_version_yet_says_so(owner: Client, echo: Application) -> None:
    assert echo.release is not None
    type(echo.release).objects.update(manifest={"drift": {}})
    assert owner.get(A).json()["reason"] == "Nothing to compare with yet: no version is live."


def test_the_latest_look_is_told_with_those_before_it(owner: Client, echo: Application) -> None:
    model = makers.model_version(echo)
    for hour, is_drifting in enumerate([False, True]):
        DriftMeasure.objects.create(
            application=echo, model=model, through=1, samples=500, fields={"flow": FLOW} if is_drifting else {},
            window={"codes": {}}, is_drifting=is_drifting, reason=f"Look {hour}.", at=AT + timedelta(hours=hour),
        )  # fmt: skip
    found = owner.get(A).json()
    history = found.pop("history")
    assert found == {
        "is_drifting": True, "reason": "Look 1.", "model": model.number, "at": "2026-03-01T13:00:00Z", "samples": 500,
        "fields": {"flow": FLOW},
    }  # fmt: skip
    assert [look["reason"] for look in history] == ["Look 0.", "Look 1."]
    assert history[-1] == found
