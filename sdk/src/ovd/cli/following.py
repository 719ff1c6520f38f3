"""Following: a learning run from a terminal: a bar with live metrics, its log, and how it ended as a sentence."""

import re
import sys
from typing import Any, Optional

from ovd.cli.refusal import Refusal
from ovd.cli.waiting import Waiting
from ovd.client import Client, Event, LearningRun

PROMOTED, FAILED, REJECTED = 0, 1, 3  # exit codes; a candidate that waits for approval counts as promoted
SHOWN = 4  # metrics beside the bar
_CODES = {"promoted": PROMOTED, "awaiting": PROMOTED, "rejected": REJECTED}
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|.)|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def follow(client: Client, run_id: str, *, with_log: bool = False) -> LearningRun:
    """The run when it has come to its end, after showing on stderr how it goes on, with what it prints if `with_log`.

    Ctrl-C ends the showing, not the run: Refusal.
    """
    run = client.learning_run(run_id)
    try:
        with Waiting(f"learning run {run.number}") as waiting:
            shown = _Shown(waiting)
            for event in client.learning_events(run_id):
                shown.tell(event, with_log=with_log)
    except KeyboardInterrupt:
        again = f"ovd learn {run.application} --current"
        raise Refusal(f"Not watching any more; learning run {run.number} goes on. Follow it with: {again}") from None
    return client.learning_run(run_id)


def conclude(run: LearningRun) -> int:
    """Say how it ended on stdout (stderr when it failed); returns the exit code: 0 promoted, or waiting for approval;
    3 rejected; 1 failed or cancelled."""
    code = _CODES.get(run.status, FAILED)
    lines = [f"Learning run {run.number}: {run.status}.{_outcome(run)}"]
    if run.verdict:
        lines.append(plain(run.verdict))
    if run.reason and (code == FAILED or run.reason != run.verdict):
        lines.append(plain(run.reason))
    if run.status == "awaiting":
        lines.append(
            f"Approve it with: ovd approve {run.application} {run.candidate}, "
            f"or decline it with: ovd reject {run.application} {run.candidate}"
        )
    if run.status == "failed":
        lines.append(f"See what it printed with: ovd learn {run.application} --current --log")
    print("\n".join(lines), file=sys.stderr if code == FAILED else sys.stdout)
    return code


def measures(metrics: "dict[str, Any]", *, most: Optional[int] = None) -> str:
    """`mae 0.124, r2 0.91`; of more than `most`, the first ones and `…`."""
    told = [f"{plain(name)} {number(value)}" for name, value in metrics.items()]
    if most is not None and len(told) > most:
        told = [*told[:most], "…"]
    return ", ".join(told)


def number(value: Any) -> str:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return f"{value:.4g}" if is_number else plain(str(value))


def plain(text: str) -> str:
    """Without what would move a terminal's cursor or colour it; line ends and tabs stay."""
    return _ESCAPES.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


class _Shown:
    """What is on the terminal about a run: its phase, its progress, and the last value of each metric."""

    def __init__(self, waiting: Waiting) -> None:
        self._waiting = waiting
        self._phase = ""
        self._why = ""
        self._fraction: Optional[float] = None
        self._message = ""
        self._metrics: dict[str, Any] = {}

    def tell(self, event: Event, *, with_log: bool) -> None:
        body = event.data if isinstance(event.data, dict) else {}
        if event.name == "log":
            if with_log:
                self._waiting.say(plain(str(body.get("text") or "")))
            return
        if event.name == "status":
            self._phase = str(body.get("status") or "")
            self._why = str(body.get("reason") or "") if self._phase in ("queued", "paused") else ""
            self._fraction, self._message = None, ""
        elif event.name == "progress":
            self._fraction, self._message = body.get("fraction"), str(body.get("message") or "")
        elif event.name == "metric":
            self._metrics[str(body.get("name"))] = body.get("value")
        message = self._why or ", ".join(part for part in (self._message, measures(self._metrics, most=SHOWN)) if part)
        self._waiting.show(self._phase, self._fraction, plain(message).replace("\n", " "))


def _outcome(run: LearningRun) -> str:
    if run.candidate is None:
        return ""
    return {
        "promoted": f" Model {run.candidate} is live.",
        "awaiting": f" Model {run.candidate} waits for a person's approval.",
        "rejected": f" Model {run.candidate} is kept, and what was live stays live.",
    }.get(run.status, "")
