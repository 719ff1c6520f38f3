"""The examples that learn, on a platform: fed through its doors, judged by its gate, followed, asked, rolled back."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from platforms import ROOT, Platform, until

EXAMPLES = ROOT / "examples"
pytestmark = pytest.mark.timeout(300)  # environments are built, and it learns

OVER = ("promoted", "rejected", "failed", "cancelled")
JSON_LINES = {"Content-Type": "application/x-ndjson"}


class Learner:
    """An application on the platform, by HTTP alone, as a program of another company would use it."""

    def __init__(self, http: httpx.Client, name: str) -> None:
        self.http = http
        self.base = f"/api/v1/applications/demo/{name}"

    def get(self, path: str) -> Any:
        answer = self.http.get(self.base + path)
        assert answer.is_success, answer.text
        return answer.json()

    def runs(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get("/learning-runs")["items"]
        return found

    def feed(self, lines: list[str]) -> dict[str, Any]:
        answer = self.http.post(f"{self.base}/intake", content="\n".join(lines) + "\n", headers=JSON_LINES)
        assert answer.status_code == 201, answer.text
        batch: dict[str, Any] = answer.json()
        return batch

    def learned(self, number: int) -> dict[str, Any]:
        """Learning run `number`, when it is over and the application rests."""

        def over() -> dict[str, Any] | None:
            run = next((run for run in self.runs() if run["number"] == number and run["status"] in OVER), None)
            return run if run and self.get("")["learning"] == "resting" else None

        run: dict[str, Any] = until(over, 60, f"learning run {number} is over")
        return run

    def live(self) -> int | None:
        model = self.get("/models/live")["model"]
        return model["number"] if model else None

    def curve(self, run: dict[str, Any], name: str) -> list[tuple[int, float]]:
        """What a page draws: step and value, out of the run's events."""
        points = []
        with self.http.stream("GET", run["events_url"]) as answer:
            event = ""
            for line in answer.iter_lines():
                event = line.removeprefix("event: ") if line.startswith("event: ") else event
                if line.startswith("data: ") and event == "metric":
                    body = json.loads(line.removeprefix("data: "))
                    if body["name"] == name:
                        points.append((body["step"], body["value"]))
        return points

    def execute(self, inputs: dict[str, Any]) -> dict[str, Any]:
        answer = self.http.post(f"{self.base}/executions", json={"inputs": inputs})
        assert answer.status_code == 201, answer.text
        execution: dict[str, Any] = answer.json()
        assert execution["status"] == "succeeded", execution
        return execution

    def tell(self, execution: dict[str, Any], label: Any) -> dict[str, Any]:
        answer = self.http.post(f"/api/v1/executions/{execution['id']}/feedback", json={"label": label})
        assert answer.status_code == 201, answer.text
        batch: dict[str, Any] = answer.json()
        return batch


def test_an_online_learner_goes_on_from_its_parent_and_can_be_rolled_back(platform: Platform) -> None:
    platform.push(EXAMPLES / "next-hour")
    made = subprocess.run(
        [sys.executable, EXAMPLES / "next-hour" / "make_stream.py", "2-april"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    stream = made.stdout.splitlines()
    with platform.http() as http:
        learner = Learner(http, "next-hour")
        seen: list[int] = []
        for number, first in enumerate(range(0, 240, 80), start=1):
            learner.feed(stream[first : first + 80])
            run = learner.learned(number)
            assert run["status"] == "promoted", run
            seen.append(run["metrics"]["seen"])
        assert seen == [60, 135, 214]  # each hour once: what was held out is learned the next time
        steps = [step for step, _ in learner.curve(run, "progressive_mae")]
        assert steps == [144, 168, 192]
        assert learner.get("/models/3")["parent"] == 2 and learner.live() == 3
        inputs = {name: value for name, value in json.loads(stream[300]).items() if name != "flow"}
        execution = learner.execute(inputs)
        assert execution["model"] == 3 and "Learned from 214 hours" in execution["outputs"]["note"]

        batch = learner.tell(execution, json.loads(stream[300])["flow"])
        assert batch["kind"] == "feedback" and batch["samples"] == 1
        assert learner.http.get(f"{learner.base}/batches/{batch['number']}/content").json() == json.loads(stream[300])

        back = learner.http.post(f"{learner.base}/models/rollback", json={"reason": "to see it"})
        assert back.is_success, back.text
        until(lambda: learner.live() == 2, 30, "version 2 is live again")
        assert "Learned from 135 hours" in learner.execute(inputs)["outputs"]["note"]


def test_pictures_with_labels_are_fed_learned_read_and_corrected(platform: Platform, tmp_path: Path) -> None:
    platform.push(EXAMPLES / "digits")
    subprocess.run(
        [sys.executable, EXAMPLES / "digits" / "make_feed.py", tmp_path, "--count", "400"],
        check=True, capture_output=True,
    )  # fmt: skip
    pictures = sorted(tmp_path.glob("*/*.png"), key=lambda file: file.name)
    with platform.http() as http:
        learner = Learner(http, "digits")
        files = [("files", (file.name, file.read_bytes(), "image/png")) for file in pictures[:300]]
        samples = [{"image": file.name, "label": file.parent.name} for file in pictures[:300]]
        lines = "".join(json.dumps(sample) + "\n" for sample in samples)
        answer = http.post(
            f"{learner.base}/intake", files=[("samples", ("samples.jsonl", lines, JSON_LINES["Content-Type"])), *files]
        )
        assert answer.status_code == 201, answer.text
        assert answer.json()["samples"] == 300
        run = learner.learned(1)
        assert run["status"] == "promoted" and run["gate"]["candidate"] > 0.8, run
        assert len(learner.curve(run, "loss")) == 80

        picture, label = pictures[350], pictures[350].parent.name
        sent = http.post(
            f"{learner.base}/executions", files={"image": (picture.name, picture.read_bytes(), "image/png")}
        )
        execution = sent.json()
        assert execution["status"] == "succeeded" and execution["model"] == 1, execution
        assert len(execution["outputs"]["digit"]) == 1
        batch = learner.tell(execution, label)
        sample = http.get(f"{learner.base}/batches/{batch['number']}/content").json()
        assert sample["label"] == label and sample["image"]["media_type"] == "image/png"
