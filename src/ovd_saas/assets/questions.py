"""Questions: what a person can be asked about an execution, so that the answer becomes a sample."""

import json
from dataclasses import dataclass
from typing import Any

from ovd_saas.assets.asked import Asked
from ovd_saas.domain import executions as states
from ovd_saas.store.queries import received
from ovd_saas.store.records import Execution, Release

ASKED = ("choice", "boolean", "number", "integer", "text", "datetime")  # kinds that a person can say
MOST_BUTTONS = 12  # choices that are buttons; more are a list


@dataclass(frozen=True)
class Answer:
    """One thing that can be said by one click."""

    json: str
    label: str
    was_answered: bool  # the application said so itself


@dataclass(frozen=True)
class Question:
    """What is asked about a run."""

    field: Asked
    buttons: list[Answer]  # empty: it is typed, or chosen of a list
    answered: Any  # what the application said, None where that cannot be told

    @property
    def answered_json(self) -> str:
        return json.dumps(self.answered)


def of(execution: Execution) -> Question | None:
    """None where nothing can be asked: it has no result, or its result and a label make no sample."""
    release = execution.release
    if execution.status != states.SUCCEEDED or execution.taken_down_at or release is None:
        return None
    field = label_field(release)
    if field is None:
        return None
    answered = (execution.outputs or {}).get(field.name)
    return Question(field, _buttons(field, answered), answered)


def label_field(release: Release) -> Asked | None:
    """The field that a label fills; None where results and a label make no sample."""
    learn = release.manifest.get("learn")
    if not learn:
        return None
    sample = release.schema.get("sample") or {}
    properties, name = sample.get("properties") or {}, learn.get("label") or "label"
    if not properties:
        return Asked(name, "text", {"title": name.replace("_", " ").capitalize()}, True)
    prop = properties.get(name)
    kind = (prop or {}).get("x-ovd", {}).get("kind")
    sides = (release.schema.get(side, {}).get("properties", {}) for side in ("inputs", "outputs"))
    there = {name, *(known for side in sides for known in side)}
    if prop is None or kind not in ASKED or set(sample.get("required", [])) - there:
        return None
    return Asked(name, kind, prop, True)


def _buttons(field: Asked, answered: Any) -> list[Answer]:
    if field.kind == "boolean":
        return [Answer("true", "Yes", answered is True), Answer("false", "No", answered is False)]
    if field.kind != "choice" or len(field.choices) > MOST_BUTTONS:
        return []
    return [Answer(one["json"], one["label"], json.dumps(answered) == one["json"]) for one in field.choices]


def thanks(execution: Execution) -> dict[str, Any] | None:
    """What was said of it, and what becomes of that; None when nothing was."""
    said = execution.feedback
    if not said:
        return None
    batch = received.batch(execution.application, said["batch"])
    label = said["label"]
    return {
        "label": label if isinstance(label, str) else json.dumps(label, ensure_ascii=False),
        "by": said["by"],
        "at": said["at"],
        "batch": batch,
        "status": received.status(batch) if batch else "",
    }


def label(field: Asked, text: str) -> Any:
    """As JSON where the kind is no text; what is none stays the text it is, and is refused as such."""
    if field.kind in ("text", "datetime"):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text
