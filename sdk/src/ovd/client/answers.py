"""Answers: what the platform says about an execution, a release, a learning run or a model version, with names for the
usual questions."""

from dataclasses import dataclass
from typing import Any, Optional

FINAL = frozenset(
    {"succeeded", "failed", "rejected", "cancelled", "expired"}
)  # nothing moves an execution on from here
BUILT = frozenset({"ready", "failed"})  # nothing moves a release on from here
LEARNED = frozenset(
    {"promoted", "rejected", "awaiting", "failed", "cancelled"}
)  # the platform does nothing more by itself; a person may still approve or reject what is awaiting


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


@dataclass(frozen=True)
class LearningRun:
    """One learning run as the platform told it last."""

    id: str
    application: str  # org/name
    number: int
    status: str  # queued, running, paused, evaluating, or one of LEARNED
    candidate: Optional[int]  # number of the model version that it made
    verdict: str  # of the gate, a sentence; "" when it has not judged
    reason: str  # why it is as it is, for a person
    document: "dict[str, Any]"  # everything the platform said

    @property
    def is_finished(self) -> bool:
        return self.status in LEARNED

    @classmethod
    def from_document(cls, document: "dict[str, Any]") -> "LearningRun":
        candidate = document.get("candidate")
        return cls(
            id=str(document["id"]),
            application=str(document.get("application") or ""),
            number=int(document["number"]),
            status=str(document["status"]),
            candidate=None if candidate is None else int(candidate),
            verdict=str((document.get("gate") or {}).get("sentence") or ""),
            reason=_reason(document.get("error")) or str(document.get("reason") or ""),
            document=document,
        )


@dataclass(frozen=True)
class Model:
    """One model version as the platform told it last."""

    number: int
    status: str  # candidate, active, rejected, retired
    is_live: bool
    digest: str  # of the tar of its folder
    size: int  # bytes of that
    metrics: "dict[str, Any]"  # what `evaluate` gave on the holdout
    reason: str  # why it is as it is, for a person
    document: "dict[str, Any]"  # everything the platform said

    @classmethod
    def from_document(cls, document: "dict[str, Any]") -> "Model":
        return cls(
            number=int(document["number"]),
            status=str(document["status"]),
            is_live=bool(document.get("live")),
            digest=str(document.get("digest") or ""),
            size=int(document.get("size") or 0),
            metrics=dict(document.get("metrics") or {}),
            reason=str(document.get("reason") or ""),
            document=document,
        )


def _reason(error: Any) -> str:
    """The sentence in `error`: a problem with a detail, {code, message}, or a text."""
    if isinstance(error, dict):
        return str(error.get("detail") or error.get("message") or error.get("code") or "")
    return str(error or "")
