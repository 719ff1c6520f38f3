"""Checks: what `python -m ovd.testing FOLDER --json` said about a folder, line by line."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ovd import preloads
from ovd_saas.runner.commands import Outcome
from ovd_saas.runner.failures import PreparationFailed

REMEMBERED = 15  # last lines of other output that go into the message of a failure


@dataclass
class Report:
    """Collects the events; whatever is not an event is log."""

    say: Callable[[str], None]
    schema: dict[str, Any] | None = None
    samples: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    is_done: bool = False
    is_ok: bool = False
    last: list[str] = field(default_factory=list)

    def take(self, stream: str, line: str) -> None:
        event = _event(line) if stream == "stdout" else None
        if event is None:
            self.say(line)
            self.last.append(line)
            del self.last[:-REMEMBERED]
        else:
            self._take(event)

    def _take(self, event: dict[str, Any]) -> None:
        kind = event["event"]
        if kind == "schema":
            self.schema = event.get("schema")
            self.say("The application imports, and its schema is known.")
        elif kind == "sample":
            sample = {key: event.get(key) for key in ("name", "status", "message", "seconds")}
            self.samples.append(sample)
            self.say(_wording(sample))
        elif kind == "preload":
            self.say(preloads.said(event.get("modules") or [], event.get("source") or ""))
        elif kind == "problem":
            problem = _place(event)
            self.problems.append(problem)
            self.say(problem)
        elif kind == "done":
            self.is_done, self.is_ok = True, event.get("ok") is True

    def judge(self, outcome: Outcome) -> dict[str, Any]:
        """The schema of a folder that passed. Raises PreparationFailed."""
        failed = [_wording(sample) for sample in self.samples if sample["status"] != "passed"]
        if outcome.ok and self.is_done and self.is_ok and self.schema is not None and not failed:
            return self.schema
        stage = "samples" if self.schema is not None else "import"
        why = failed + self.problems
        if not self.is_done:
            why += [f"The check of the application did not finish: {outcome.message or 'it ended early'}."]
            why += [] if failed + self.problems else [line for line in self.last if line not in outcome.message]
        elif not why:
            why = self.last or ["The check says that the application is not in order, but not why."]
        raise PreparationFailed(stage, "\n".join(why))


def _event(line: str) -> dict[str, Any] | None:
    if not line.startswith("{"):
        return None
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and isinstance(event.get("event"), str) else None


def _wording(sample: dict[str, Any]) -> str:
    message = f": {sample['message']}" if sample.get("message") else ""
    return f"Sample {sample['name']} {sample['status']}{message}"


def _place(event: dict[str, Any]) -> str:
    place = f"{event.get('file')}:{event['line']}" if event.get("line") else str(event.get("file") or "")
    key = f" {event['key']}:" if event.get("key") else ""
    return f"{place}:{key} {event.get('message', '')} {event.get('cure') or ''}".strip(" :")
