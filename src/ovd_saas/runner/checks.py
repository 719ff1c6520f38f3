"""Checks: what `python -m ovd.testing FOLDER --json` said about a folder, line by line."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ovd import preloads
from ovd_saas.runner import told
from ovd_saas.runner.commands import Outcome
from ovd_saas.runner.failures import PreparationFailed

MOST_PROBLEMS = 1_000
LONGEST_REPORT = 100_000  # characters
LONGEST_LINE = 10_000
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
            line = told.text(line, LONGEST_LINE)
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
            sample = told.sample(event)
            if len(self.samples) <= told.MOST_SAMPLES:
                self.samples.append(sample)
            self.say(_wording(sample))
        elif kind == "preload":
            self.say(preloads.said(told.names(event.get("modules")), told.text(event.get("source"), told.LONGEST_NAME)))
        elif kind == "problem":
            problem = told.text(_place(event))
            if len(self.problems) < MOST_PROBLEMS:
                self.problems.append(problem)
            self.say(problem)
        elif kind == "done":
            self.is_done, self.is_ok = True, event.get("ok") is True

    def judge(self, outcome: Outcome) -> dict[str, Any]:
        """The schema of a folder that passed. Raises PreparationFailed."""
        failed = [_wording(sample) for sample in self.samples if sample["status"] != "passed"]
        if outcome.ok and self.is_done and self.is_ok and self.schema is not None and not failed:
            if wrong := told.wrong(self.schema):
                raise PreparationFailed("import", f"The schema that it tells {wrong}")
            if len(self.samples) > told.MOST_SAMPLES:
                raise PreparationFailed("samples", f"It has more than {told.MOST_SAMPLES:,} samples.")
            return self.schema
        stage = "samples" if self.schema is not None else "import"
        why = failed + self.problems
        if not self.is_done:
            why += [f"The check of the application did not finish: {outcome.message or 'it ended early'}."]
            why += [] if failed + self.problems else [line for line in self.last if line not in outcome.message]
        elif not why:
            why = self.last or ["The check says that the application is not in order, but not why."]
        raise PreparationFailed(stage, told.text("\n".join(why), LONGEST_REPORT))


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
