"""Sources: where data is pulled from, and what became of each file. Floor 3."""

from datetime import datetime
from typing import Any

from django.utils import timezone
from ninja import Router
from pydantic import ConfigDict, Field

from ovd_saas.api.callers import Request
from ovd_saas.api.shapes import Answer
from ovd_saas.api.v1 import lookups
from ovd_saas.appcore import sources
from ovd_saas.store.queries import batches as queries
from ovd_saas.store.records import Application, SourceFile

router = Router(tags=["data"])

_EXAMPLE: dict[str, Any] = {
    "address": "incoming",
    "pattern": "*.csv",
    "schedule": "0 3 * * *",
    "next_at": "2026-03-02T02:00:00Z",
    "error": None,
    "files": [
        {
            "path": "march.csv",
            "version": "4096-1772323200",
            "batch": 7,
            "error": None,
            "seen_at": "2026-03-01T02:00:01Z",
        }
    ],
}


class PulledFile(Answer):
    """A file that became a batch, or says why it did not."""

    path: str
    version: str = Field(description="Another one when the file was changed.")
    batch: int | None = Field(description="Number of the batch that holds its samples.")
    error: str | None
    seen_at: datetime


class SourceShape(Answer):
    """A place that the manifest names; each file is pulled once."""

    model_config = ConfigDict(title="Source", json_schema_extra={"example": _EXAMPLE})

    address: str
    pattern: str = Field(description="Names of the files that are meant.")
    schedule: str | None = Field(description="Five fields of cron; null: pulled when somebody notifies.")
    next_at: datetime | None
    error: str | None = Field(description="Why it could not be looked at the last time, as a whole.")
    files: list[PulledFile] = Field(description="The latest hundred.")


class SourceList(Answer):
    """All of them: a manifest has few."""

    items: list[SourceShape]
    next: None


@router.get("/applications/{slug:org}/{slug:name}/sources", response=SourceList, summary="Sources and their files")
def list_sources(request: Request, org: str, name: str) -> dict[str, Any]:
    application = lookups.application(request, org, name)
    return {"items": [_source(application, one) for one in sources.declared(application)], "next": None}


def _source(application: Application, source: sources.Declared) -> dict[str, Any]:
    rows = queries.source_files(application, source.address)
    whole = next((row for row in rows if not row.path), None)
    return {
        "address": source.address,
        "pattern": source.pattern,
        "schedule": source.schedule or None,
        "next_at": sources.next_at(application, source, timezone.now()),
        "error": whole.error if whole else None,
        "files": [_file(row) for row in rows if row.path],
    }


def _file(row: SourceFile) -> dict[str, Any]:
    return {
        "path": row.path,
        "version": row.version,
        "batch": row.batch.number if row.batch else None,
        "error": row.error or None,
        "seen_at": row.seen_at,
    }
