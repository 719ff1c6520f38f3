"""Learning: what a program asks about learning runs and model versions of an application."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Optional, Union
from urllib.parse import urlencode

from ovd.client.answers import LearningRun, Model
from ovd.client.asking import TIME_TO_GO_LIVE, Asking, path_of, quoted
from ovd.client.events import Event

LARGEST_PAGE = 200  # items that the platform sends at once


class Learning(Asking):
    """The part of the client that is about learning."""

    # learning runs

    def learn(self, application: str, *, note: str = "") -> LearningRun:
        """Start a learning run of `org/name` now, whatever its triggers say. Raises Conflict when one is open, or when
        the application does not learn."""
        body = {"note": note} if note else {}
        return LearningRun.from_document(self._post(f"{path_of(application)}/learning-runs", body))

    def learning_runs(self, application: str) -> "list[LearningRun]":
        """All learning runs of `org/name`, the latest first."""
        return [LearningRun.from_document(one) for one in self._all(f"{path_of(application)}/learning-runs")]

    def learning_run(self, id: str) -> LearningRun:
        """One learning run as it is now."""
        return LearningRun.from_document(self._document(f"/learning-runs/{quoted(id)}"))

    def learning_events(self, id: str, *, after: str = "") -> "Iterator[Event]":
        """What happens in a learning run, after event `after` and until `done`: status, progress, metric, log and
        checkpoint; survives broken connections."""
        return self._follow(f"/learning-runs/{quoted(id)}/events", after=after)

    def learning_log(self, id: str) -> str:
        """What a learning run printed so far; all of it when that is finished."""
        return self._connection.request("GET", f"/learning-runs/{quoted(id)}/log").text

    def cancel_learning(self, id: str) -> LearningRun:
        """End a learning run; the live model stays. Raises Conflict when it is over already."""
        return LearningRun.from_document(self._post(f"/learning-runs/{quoted(id)}/cancel"))

    # models

    def models(self, application: str) -> "list[Model]":
        """All model versions of `org/name`, the latest first."""
        return [Model.from_document(one) for one in self._all(f"{path_of(application)}/models")]

    def model(self, application: str, number: int) -> Model:
        """Model version `number` of `org/name` as it is now."""
        return Model.from_document(self._document(f"{path_of(application)}/models/{number}"))

    def download_model(self, application: str, number: int, path: "Union[str, Path]") -> Path:
        """Write the tar of a model's folder to `path`, a folder or the file's new name; its bytes have the digest of
        the model. Returns where it is."""
        model = self.model(application, number)
        target = Path(path)
        if target.is_dir():
            target = target / f"{application.rpartition('/')[2]}-model-{number}.tar"
        return self._download(f"{path_of(application)}/models/{number}/archive", target, model.digest)

    def promote(
        self, application: str, number: int, *, reason: str = "", wait: Optional[float] = TIME_TO_GO_LIVE
    ) -> Model:
        """Let model version `number` become live: approves one that waits for a person, or promotes one that was live
        before. Look at `is_live`: while a process of it starts (longer than `wait` seconds) it is not yet. Raises
        Conflict when its state does not allow it."""
        body = {"reason": reason} if reason else {}
        return Model.from_document(self._post(f"{path_of(application)}/models/{number}/promote", body, wait=wait))

    def reject(self, application: str, number: int, *, reason: str = "") -> Model:
        """Decline a candidate; it is kept, and never becomes live. Raises Conflict when it is none."""
        body = {"reason": reason} if reason else {}
        return Model.from_document(self._post(f"{path_of(application)}/models/{number}/reject", body))

    def rollback(
        self,
        application: str,
        *,
        to: Optional[int] = None,
        reason: str = "",
        wait: Optional[float] = TIME_TO_GO_LIVE,
    ) -> Model:
        """Go back to version `to`, or to the one that was live before the present one. Returns the version that is
        live then; as in `promote`, look at `is_live`. Raises Conflict when there is nothing to go back to."""
        body: dict[str, Any] = {"reason": reason} if reason else {}
        if to is not None:
            body["to"] = to
        return Model.from_document(self._post(f"{path_of(application)}/models/rollback", body, wait=wait))

    def live(self, application: str, at: "Optional[Union[str, datetime]]" = None) -> "dict[str, Any]":
        """What was live at a moment (RFC 3339 with zone, or an aware datetime; None: now), as {at, model, promotion};
        both are None before the first promotion."""
        moment = at.isoformat() if isinstance(at, datetime) else at
        query = f"?{urlencode({'at': moment})}" if moment else ""
        return self._document(f"{path_of(application)}/models/live{query}")

    # data

    def drift(self, application: str) -> "dict[str, Any]":
        """How far the latest samples of `org/name` are from those that the live version learned from, as
        {is_drifting, reason, model, at, samples, fields, history}."""
        return self._document(f"{path_of(application)}/drift")

    def notify(self, application: str, *, source: Optional[str] = None, note: str = "") -> "dict[str, Any]":
        """Say that new data arrived for `org/name` elsewhere: the `source` of its manifest is pulled, or, without one,
        learning is due. Returns what came of it, as {kind, decision, reason, cause, learning_run, again_at, at}. Raises
        Conflict when the application does not learn, InvalidInput when it declares no such source."""
        body = {name: value for name, value in (("source", source), ("note", note)) if value}
        found: dict[str, Any] = self._post(f"{path_of(application)}/notify", body)["evaluation"]
        return found

    def triggers(
        self, application: str, *, kind: str = "", decision: str = "", most: int = 100
    ) -> "list[dict[str, Any]]":
        """The latest `most` evaluations of the triggers of `org/name`, the newest first. `kind`: only schedule, data,
        notice, drift or manual; `decision`: only due, waits or skipped."""
        wanted = {name: value for name, value in (("kind", kind), ("decision", decision)) if value}
        items: list[dict[str, Any]] = []
        while len(items) < most:
            query = urlencode({**wanted, "limit": min(most - len(items), LARGEST_PAGE)})
            page = self._document(f"{path_of(application)}/triggers?{query}")
            items.extend(page["items"])
            if not page.get("next"):
                break
            wanted["cursor"] = str(page["next"])
        return items
