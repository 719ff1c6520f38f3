"""Drift: how far what arrives is from what the live version learned from. Floor 3."""

from datetime import datetime
from typing import Any

from ninja import Router
from pydantic import ConfigDict, Field

from ovd_saas.api.callers import Request
from ovd_saas.api.shapes import Answer
from ovd_saas.api.v1 import lookups
from ovd_saas.store.queries import drift
from ovd_saas.store.records import Application, DriftMeasure

router = Router(tags=["learning"])


class FieldShape(Answer):
    """One field of the samples."""

    model_config = ConfigDict(title="DriftingField")

    kind: str = Field(description="number, integer, choice, boolean, text …")
    measures: dict[str, float] = Field(
        description="`psi` and `ks` of a number, `js` (distance) of a category, `missing` (how much more often) of any"
    )
    limits: dict[str, float] = Field(
        description="Of each measure: the manifest's, or what chance may bring with so few samples if that is more"
    )
    is_drifting: bool = Field(description="A measure is over its limit")


class LookShape(Answer):
    """One look."""

    model_config = ConfigDict(title="DriftLook")

    at: datetime
    model: int = Field(description="Number of the version that was live")
    samples: int
    is_drifting: bool
    reason: str
    fields: dict[str, FieldShape]


class DriftShape(Answer):
    """The latest look, and those before it."""

    model_config = ConfigDict(
        title="Drift",
        json_schema_extra={
            "example": {
                "is_drifting": True,
                "reason": "Drift in flow (psi 0.61, limit 0.25, ks 0.34, limit 0.2): the last 500 samples differ from "
                "those that version 3 learned from.",
                "model": 3,
                "at": "2026-03-01T12:00:00Z",
                "samples": 500,
                "fields": {
                    "flow": {
                        "kind": "number",
                        "measures": {"psi": 0.61, "ks": 0.34, "missing": 0.0},
                        "limits": {"psi": 0.25, "ks": 0.2, "missing": 0.1},
                        "is_drifting": True,
                    }
                },
                "history": [],
            }
        },
    )

    is_drifting: bool
    reason: str = Field(description="A sentence, also when nothing is measured")
    model: int | None = Field(description="Number of the version that the samples are compared with")
    at: datetime | None = Field(description="When it was looked at; null: never")
    samples: int = Field(description="In the window")
    fields: dict[str, FieldShape] = Field(description="Empty while there are too few samples")
    history: list[LookShape] = Field(description="The latest 200 looks, the oldest first")


@router.get(
    "/applications/{slug:org}/{slug:name}/drift",
    response=DriftShape,
    summary="How far the latest samples are from what was learned",
)
def read_drift(request: Request, org: str, name: str) -> dict[str, Any]:
    application = lookups.application(request, org, name)
    looks = [_describe(row) for row in drift.history(application)]
    latest = looks[-1] if looks else _nothing(application)
    return {**latest, "history": looks}


def _describe(row: DriftMeasure) -> dict[str, Any]:
    return {
        "is_drifting": row.is_drifting,
        "reason": row.reason,
        "model": row.model.number,
        "at": row.at,
        "samples": row.samples,
        "fields": row.fields,
    }


def _nothing(application: Application) -> dict[str, Any]:
    return {
        "is_drifting": False,
        "reason": drift.why_not_measured(application),
        "model": None,
        "at": None,
        "samples": 0,
        "fields": {},
    }
