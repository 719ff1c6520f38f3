"""The part of the small platform that learns: one application, `acme/flow`, whose runs end as a test says."""

import hashlib
from typing import Any

RUN = "01959-run"
TAR = b"the tar of a folder"
GATE = {"passed": True, "sentence": "mae 3.41 is 0.22 lower than 3.63 of version 1."}
SNAPSHOT = {"digest": "sha256:5", "batches": [1, 17], "samples": 480, "train": 384, "holdout": 96}
FOLLOWED: list[tuple[str, Any]] = [
    ("status", {"status": "queued", "reason": "ada asked for it."}),
    ("status", {"status": "running", "reason": "It learns."}),
    ("progress", {"fraction": 0.25, "message": "epoch 1\x1b[2J\nof 4"}),
    ("metric", {"name": "loss", "value": 0.123456, "step": 10}),
    ("log", {"stream": "stdout", "text": "epoch 1\n\x1b[31mred\x1b[0m\r\n"}),
    ("checkpoint", {"size": 10}),
    ("status", {"status": "evaluating", "reason": "It is judged."}),
]
_MOMENTS = {"created_at": "2026-03-01T12:00:00Z"}


class Learning:
    """What the tests set before, and look at after."""

    def __init__(self) -> None:
        self.ends = "promoted"  # the status with which a run ends
        self.is_open = False  # a run is going on: another one is refused
        self.is_swapping = False  # a promoted version is not live yet
        self.is_empty = False  # nothing was learned yet
        self.bodies: list[tuple[str, Any]] = []  # what was posted, by the last part of the address

    def events(self) -> list[tuple[str, Any]]:
        return [*FOLLOWED, ("done", self.run())]

    def run(self, status: str = "") -> dict[str, Any]:
        status = status or self.ends
        failed = {"code": "exception", "message": "ValueError: no water"} if status == "failed" else None
        has_candidate = status in ("promoted", "rejected", "awaiting")
        return {
            "id": RUN,
            "number": 3,
            "application": "acme/flow",
            "status": status,
            "reason": GATE["sentence"] if has_candidate else "ada asked for it.",
            "candidate": 2 if has_candidate else None,
            "gate": GATE if has_candidate else None,
            "error": failed,
            **_MOMENTS,
        }

    def model(self, number: int) -> dict[str, Any]:
        is_live = number == 2 and not self.is_swapping
        return {
            "number": number,
            "application": "acme/flow",
            "status": "active" if is_live else "retired",
            "live": is_live,
            "digest": f"sha256:{hashlib.sha256(TAR).hexdigest()}",
            "size": 48640,
            "metrics": {"mae": 6.0 / number, "bias": 0.1, "r2": 0.9, "rmse": 5},
            "parent": number - 1 or None,
            "release": 3,
            "learning_run": {"id": RUN, "number": 3},
            "snapshot": SNAPSHOT,
            "reason": GATE["sentence"],
            "promotions": [self.promotion(number)],
            **_MOMENTS,
        }

    def evaluation(self, number: int) -> dict[str, Any]:
        return {
            "id": str(number),
            "kind": "notice",
            "decision": "due" if not self.is_open else "waits",
            "reason": "Due: ada said that new data arrived." if not self.is_open else "Waits: learning run 3 is open.",
            "cause": "notice of user:ada",
            "learning_run": {"id": RUN, "number": 3} if not self.is_open else None,
            "again_at": None,
            "at": _MOMENTS["created_at"],
        }

    def promotion(self, number: int) -> dict[str, Any]:
        return {
            "kind": "promote",
            "at": f"2026-03-0{number}T12:00:00.123Z",
            "until": "2026-03-02T12:00:00.123Z" if number == 1 else None,
            "actor": "gate",
            "reason": GATE["sentence"],
        }

    def answer(self, method: str, parts: list[str], body: Any, query: dict[str, list[str]]) -> tuple[int, Any] | None:
        """None: there is no such thing. A status of 409 or 422 comes with {code, detail}."""
        if method == "POST":
            self.bodies.append((parts[-1], body))
        match method, parts:
            case "GET", ["learning-runs"]:
                return 200, {"items": [] if self.is_empty else [self.run()], "next": None}
            case "POST", ["learning-runs"] if self.is_open:
                return 409, {"code": "already_learning", "detail": "Learning run 3 of acme/flow is running."}
            case "POST", ["learning-runs"]:
                return 202, self.run("queued")
            case "POST", ["notify"] if body.get("source") == "s3://unknown":
                return 422, {"code": "unknown_source", "detail": "It declares s3://flow.", "errors": [
                    {"field": "source", "message": "It declares s3://flow."}]}  # fmt: skip
            case "POST", ["notify"]:
                return 202, {"evaluation": self.evaluation(9)}
            case "GET", ["triggers"]:
                first = int(query.get("cursor", ["9"])[0])
                rows = [self.evaluation(number) for number in range(first, 0, -1)][: int(query["limit"][0])]
                left = first - len(rows)
                return 200, {"items": rows, "next": str(left) if left else None}
            case "GET", ["models"]:
                return 200, {"items": [] if self.is_empty else [self.model(2), self.model(1)], "next": None}
            case "GET", ["models", "live"]:
                return self._live(query.get("at", ["2026-03-05T00:00:00Z"])[0])
            case "GET", ["models", number]:
                return 200, self.model(int(number))
            case "GET", ["models", _, "archive"]:
                return 200, TAR
            case "POST", ["models", number, "reject"]:
                return 200, {**self.model(int(number)), "status": "rejected", "live": False}
            case "POST", ["models", "rollback"] if self.is_empty:
                return 409, {"code": "nothing_to_roll_back_to", "detail": "No version was live before."}
            case "POST", ["models", *_]:
                return (202 if self.is_swapping else 200), self.model(2)
        return None

    def _live(self, at: str) -> tuple[int, Any]:
        if not at.endswith("Z"):
            return 422, {"code": "invalid", "detail": "at: It is no moment.", "errors": [
                {"field": "at", "message": "It is no moment."}]}  # fmt: skip
        if self.is_empty:
            return 200, {"at": at, "model": None, "promotion": None}
        return 200, {"at": at, "model": self.model(2), "promotion": self.promotion(2)}
