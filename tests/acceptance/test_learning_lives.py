"""Learning lives: on a whole platform, through kill -9 of each part, every batch is learned once, and what was live
when is what the executions say."""

import itertools
import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from platforms import APPS, Platform, until

LEARNER = "demo/learner"
A = f"/api/v1/applications/{LEARNER}"
DONE = ("promoted", "rejected", "failed", "cancelled", "awaiting")
_fed = itertools.count()
SLACK = timedelta(milliseconds=250)  # between the moment a process is ready and a web process that hears of it


@pytest.fixture(scope="module")
def learning() -> Iterator[Platform]:
    made = Platform("--no-examples")
    made.start()
    made.push(APPS / "learner")
    yield made
    made.stop()
    shutil.rmtree(made.home, ignore_errors=True)


def feed(platform: Platform, *values: float, act: str = "", key: str | None = None) -> dict[str, Any]:
    """One batch, unlike every other one; tried again with the same key while the platform is away."""
    unlike = next(_fed) * 1e-6
    rows = [
        {"value": value + unlike, **({"act": act} if act and not place else {})} for place, value in enumerate(values)
    ]
    body = "".join(json.dumps(row) + "\n" for row in rows)
    key = key or os.urandom(8).hex()
    headers = {"Content-Type": "application/x-ndjson", "Idempotency-Key": key}

    def sent() -> dict[str, Any] | None:
        with suppress(httpx.TransportError), platform.http() as http:
            answer = http.post(f"{A}/intake", content=body, headers=headers)
            if answer.status_code in (200, 201):
                found: dict[str, Any] = answer.json()
                return found
            assert answer.status_code in (502, 503), answer.text
        return None

    batch: dict[str, Any] = until(sent, 60, "the batch is taken in")
    return batch


def feed_acting(platform: Platform, act: str) -> dict[str, Any]:
    """A batch whose first sample is learned from, because the holdout is smaller than the batch."""
    known = sum(batch["samples"] for batch in items(platform, "batches"))
    return feed(platform, *[2.0] * (known + 4), act=act)


def items(platform: Platform, path: str) -> list[dict[str, Any]]:
    with platform.http() as http:
        found: list[dict[str, Any]] = http.get(f"{A}/{path}", params={"limit": 200}).json()["items"]
    return found


def at_rest(platform: Platform) -> bool:
    with suppress(httpx.TransportError, KeyError, ValueError):
        batches = items(platform, "batches")
        runs = items(platform, "learning-runs")
        return all(run["status"] in DONE for run in runs) and all(one["status"] == "learned" for one in batches)
    return False


def test_data_wakes_it_to_learn_and_the_gate_decides(learning: Platform) -> None:
    batch = feed(learning, 2, 2, 2, 2)
    assert batch["number"] == 1
    until(lambda: at_rest(learning), says="batch 1 is learned")
    [run] = items(learning, "learning-runs")
    assert (run["status"], run["trigger"]) == ("promoted", "data")
    [model] = items(learning, "models")
    assert (model["number"], model["status"], model["live"]) == (1, "active", True)
    execution = learning.client().execute(LEARNER, {"value": 0.0})
    assert execution.outputs["result"] == pytest.approx(2.0) and execution.document["model"] == 1


@pytest.mark.parametrize("part", ["appcore", "web", "runner", "postgresql"])
def test_each_batch_is_learned_once_although_this_is_killed(part: str, learning: Platform) -> None:
    before = len(items(learning, "batches"))
    feed_acting(learning, "slow")
    until(lambda: any(run["progress"] for run in items(learning, "learning-runs")[:1]), says="it learns")
    learning.kill(part)
    feed(learning, 2, 2, 2, 2)
    until(lambda: learning.is_healthy() and at_rest(learning), 90, "all is learned")
    batches = items(learning, "batches")
    assert sorted(batch["number"] for batch in batches) == list(range(1, before + 3))
    assert all(batch["learning_run"] for batch in batches)
    runs = items(learning, "learning-runs")
    assert not [run for run in runs if run["status"] == "failed"], runs


def test_the_learning_process_itself_may_be_killed(learning: Platform) -> None:
    feed_acting(learning, "die")
    until(lambda: at_rest(learning), 60, "it is learned")
    run = items(learning, "learning-runs")[0]
    assert run["attempts"] == 2 and run["status"] in ("promoted", "rejected"), run


def test_promotions_and_rollbacks_under_load_fail_no_request_and_live_at_agrees_with_the_executions(
    learning: Platform,
) -> None:
    while len([m for m in items(learning, "models") if m["status"] in ("active", "retired")]) < 2:
        feed(learning, 2, 2, 2, 2)
        until(lambda: at_rest(learning), says="another version")
    done = threading.Event()
    seen: list[tuple[datetime, datetime, int]] = []
    failed: list[str] = []

    def load() -> None:
        client = learning.client()
        while not done.is_set():
            answer = client.execute(LEARNER, {"value": 0.0})
            if not answer.is_success:
                failed.append(answer.reason)
                continue
            started, finished = (datetime.fromisoformat(answer.document[key]) for key in ("started_at", "finished_at"))
            seen.append((started, finished, answer.document["model"]))

    learning.client().execute(LEARNER, {"value": 0.0})
    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    versions = [m["number"] for m in items(learning, "models") if m["status"] in ("active", "retired")][:2]
    with learning.http() as http:
        for turn in range(6):
            count = len(seen)
            until(lambda count=count: len(seen) > count + 20, says="requests are answered")
            answer = http.post(f"{A}/models/{versions[turn % 2]}/promote", json={})
            assert answer.status_code in (200, 202, 409), answer.text
        answer = http.post(f"{A}/models/rollback", json={"reason": "Just trying."})
        assert answer.status_code in (200, 202), answer.text
        until(lambda: http.get(A).json()["model"] is not None)
    done.set()
    for thread in threads:
        thread.join(60)
    assert failed == []
    wrong = []
    with learning.http() as http:
        for started, _, model in seen[:: max(1, len(seen) // 150)]:
            live = {_live(http, started - SLACK), _live(http, started), _live(http, started + SLACK)}
            if model not in live:
                wrong.append((started, model, live))
    assert wrong == []
    assert {model for _, _, model in seen} >= set(versions)


def _live(http: httpx.Client, at: datetime) -> int | None:
    answer = http.get(f"{A}/models/live", params={"at": at.astimezone(UTC).isoformat()})
    assert answer.status_code == 200, answer.text
    model = answer.json()["model"]
    return model["number"] if model else None


def test_appcore_frozen_while_it_learns_and_another_takes_over_changes_nothing_twice(learning: Platform) -> None:
    """A zombie: it wakes up after its lease is gone."""
    versions = len(items(learning, "models"))
    feed_acting(learning, "slow")
    until(lambda: any(run["status"] == "running" for run in items(learning, "learning-runs")[:1]), says="it learns")
    pid = learning.up["pids"]["appcore"]
    os.kill(pid, signal.SIGSTOP)
    time.sleep(1.0)
    os.kill(pid, signal.SIGCONT)
    until(lambda: at_rest(learning), 60, "it is learned")
    assert len(items(learning, "models")) == versions + 1
