"""Answers: what the platform says about an execution or a release, with names for the usual questions."""

from dataclasses import dataclass
from typing import Any, Optional

FINAL = frozenset(
    {"succeeded", "failed", "rejected", "cancelled", "expired"}
)  # nothing moves an execution on from here
BUILT = frozenset({"ready", "failed"})  # nothing moves a release on from here


@dataclass(frozen=True)
class Execution:
    """One execution as the platform told it last."""

    id: str
    status: str  # queued, running, or one of FINAL
    outputs: "dict[str, Any]"  # by name; files are {name, media_type, size, digest, url}
    seconds: Optional[float]  # s of running; None while unknown
    reason: str  # why it did not succeed, for a person; "" when it did or may still
    document: "dict[str, Any]"  # everything the platform said

    @property
    def is_finished(self) -> bool:
        return self.status in FINAL

    @property
    def is_success(self) -> bool:
        return self.status == "succeeded"

    @classmethod
    def from_document(cls, document: "dict[str, Any]") -> "Execution":
        return cls(
            id=str(document["id"]),
            status=str(document["status"]),
            outputs=dict(document.get("outputs") or {}),
            seconds=document.get("seconds"),
            reason=_reason(document.get("error")),
            document=document,
        )


@dataclass(frozen=True)
class Release:
    """One release as the platform told it last."""

    application: str  # org/name
    number: int
    status: str  # building, or one of BUILT
    log: str  # what the build has printed so far
    reason: str  # why it failed, for a person; "" when it did not
    schema: "dict[str, Any]"  # the schema document; {} until it is ready
    document: "dict[str, Any]"  # everything the platform said

    @property
    def is_finished(self) -> bool:
        return self.status in BUILT

    @property
    def is_ready(self) -> bool:
        return self.status == "ready"

    @classmethod
    def from_document(cls, document: "dict[str, Any]", *, application: str) -> "Release":
        return cls(
            application=application,
            number=int(document["number"]),
            status=str(document["status"]),
            log=str(document.get("log") or ""),
            reason=_reason(document.get("error")),
            schema=dict(document.get("schema") or {}),
            document=document,
        )


def _reason(error: Any) -> str:
    """The sentence in `error`: a problem with a detail, {code, message}, or a text."""
    if isinstance(error, dict):
        return str(error.get("detail") or error.get("message") or error.get("code") or "")
    return str(error or "")
