"""Learning over HTTP as a stranger meets it who has read its contract and nothing else: a run from the first batch to
what is live, and what is refused on the way."""

import base64
import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from platforms import APPS, Platform, until
from stranger import BASE, problem, sent

A = f"{BASE}/applications/demo/taught"
ECHO = f"{BASE}/applications/demo/echo"
RUN = {
    "id", "number", "application", "status", "trigger", "cause", "reason", "release", "parent", "snapshot", "candidate",
    "progress", "metrics", "gate", "error", "seed", "attempts", "created_at", "started_at", "finished_at", "seconds",
    "digests", "log_url", "events_url",
}  # fmt: skip
MODEL = {
    "number", "status", "digest", "size", "metrics", "parent", "release", "learning_run", "snapshot", "reason",
    "created_at", "live", "promotions", "archive_url",
}  # fmt: skip
OVER = ("promoted", "rejected", "awaiting", "failed", "cancelled")
JSON_LINES = {"Content-Type": "application/x-ndjson"}


@pytest.fixture(scope="module")
def http(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """An application that learns when a person says so, and whose candidates wait for a person."""
    folder: Path = tmp_path_factory.mktemp("apps") / "taught"
    shutil.copytree(APPS / "learner", folder, ignore=shutil.ignore_patterns("__pycache__"))
    manifest = (folder / "ovd.toml").read_text()
    manifest = manifest.replace('name = "learner"', 'name = "taught"').replace(
        "min_samples = 1", "min_samples = 100000"
    )
    (folder / "ovd.toml").write_text(manifest + 'approve = "manual"\n')
    platform.push(folder)
    with platform.http() as client:
        yield client


def feed(http: httpx.Client, *values: float, act: str = "") -> dict[str, Any]:
    """A batch; `act` makes learning from its first sample misbehave."""
    rows = [{"value": value, **({"act": act} if act and not place else {})} for place, value in enumerate(values)]
    answer = http.post(f"{A}/intake", content="".join(json.dumps(row) + "\n" for row in rows), headers=JSON_LINES)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def learn(http: httpx.Client, until_status: tuple[str, ...] = OVER, **body: Any) -> dict[str, Any]:
    """The run, as soon as it has one of these states."""
    answer = http.post(f"{A}/learning-runs", json=body)
    assert answer.status_code == 202, answer.text
    place = answer.headers["location"]
    found: dict[str, Any] = until(lambda: (run := http.get(place).json())["status"] in until_status and run, 60)
    return found


def live(http: httpx.Client, at: datetime | None = None) -> int | None:
    found = http.get(f"{A}/models/live", params={"at": at.isoformat()} if at else {}).json()
    assert set(found) == {"at", "model", "promotion"}
    return found["model"] and found["model"]["number"]


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def candidate(http: httpx.Client) -> dict[str, Any]:
    """The model of a run that awaits a person's word, when nothing was ever live."""
    assert live(http) is None
    feed(http, *[float(value % 7) for value in range(40)])
    run = learn(http, note="The first one.")
    assert run["status"] == "awaiting", run
    found: dict[str, Any] = http.get(f"{A}/models/{run['candidate']}").json()
    return found


@pytest.fixture(scope="module")
def first(http: httpx.Client, candidate: dict[str, Any]) -> dict[str, Any]:
    """The first model, live."""
    before = now()
    answer = http.post(f"{A}/models/{candidate['number']}/promote", json={"reason": "It looks right."})
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    assert made["live"] and made["status"] == "active"
    assert live(http, before) is None and live(http) == live(http, now() + timedelta(days=1)) == made["number"]
    return made


def test_a_run_says_where_it_came_from_and_what_it_made(http: httpx.Client, candidate: dict[str, Any]) -> None:
    runs = http.get(f"{A}/learning-runs", params={"limit": 200}).json()["items"]
    run = next(run for run in runs if run["candidate"] == candidate["number"])
    assert set(run) >= RUN and set(candidate) >= MODEL
    assert run == http.get(f"{BASE}/learning-runs/{run['id']}").json()
    assert (run["trigger"], run["parent"], run["release"], run["attempts"]) == ("manual", None, 1, 1)
    assert run["snapshot"]["train"] + run["snapshot"]["holdout"] == run["snapshot"]["samples"] == 40
    assert run["snapshot"]["batches"][0] == 1 and run["gate"]["passed"] and run["gate"]["sentence"]
    assert candidate["learning_run"] == {"id": run["id"], "number": run["number"]}
    assert candidate["snapshot"] == run["snapshot"] and candidate["metrics"]["mae"] > 0
    assert "learned 30 samples" in http.get(run["log_url"]).text
    evaluations = http.get(f"{A}/triggers").json()["items"]
    assert any(one["kind"] == "manual" and one["decision"] == "due" for one in evaluations)


def test_its_events_are_told_live_or_later_without_a_gap_or_a_double(
    http: httpx.Client, candidate: dict[str, Any]
) -> None:
    id_ = candidate["learning_run"]["id"]
    path = f"{BASE}/learning-runs/{id_}/events"
    whole = sent(http, path)
    assert {kind for _, kind, _ in whole} == {"status", "started", "progress", "metric", "log", "done"}
    assert [body["status"] for _, kind, body in whole if kind == "status"][:3] == ["queued", "running", "evaluating"]
    assert next(body for _, kind, body in whole if kind == "metric") == {"name": "mean", "value": 0.0, "step": 1}
    assert whole[-1][1] == "done" and whole[-1][2] == http.get(f"{BASE}/learning-runs/{id_}").json()
    assert [id_ for id_, _, _ in whole] == sorted({id_ for id_, _, _ in whole})
    some = sent(http, path, most=4)
    assert some + sent(http, path, after=some[-1][0]) == whole
    assert http.get(path, headers={"Last-Event-ID": str(whole[-1][0])}).status_code == 204
    problem(http.get(path, headers={"Last-Event-ID": "x"}), 422, "invalid", "Last-Event-ID")


def test_the_archive_of_a_model_has_its_digest(http: httpx.Client, candidate: dict[str, Any]) -> None:
    answer = http.get(candidate["archive_url"])
    digest = hashlib.sha256(answer.content).digest()
    assert candidate["digest"] == f"sha256:{digest.hex()}" and candidate["size"] == len(answer.content)
    assert answer.headers["repr-digest"] == f"sha-256=:{base64.b64encode(digest).decode()}:"
    assert f'filename="taught-model-{candidate["number"]}.tar"' in answer.headers["content-disposition"]
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as archive:
        assert archive.getnames() == ["mean.json"]


def test_an_awake_application_is_swapped_rolled_back_and_every_answer_names_its_model(
    http: httpx.Client, first: dict[str, Any]
) -> None:
    def model_of_an_execution() -> Any:
        answer = http.post(f"{A}/executions", json={"inputs": {"value": 0}})
        assert answer.json()["status"] == "succeeded", answer.text
        return answer.json()["model"]

    start = live(http)
    assert model_of_an_execution() == start
    run = learn(http)
    second = run["candidate"]
    assert (run["status"], run["parent"], model_of_an_execution()) == ("awaiting", start, start)
    promoted = http.post(f"{A}/models/{second}/promote", headers={"Prefer": "wait=60"})
    assert promoted.status_code == 200 and promoted.json()["live"], promoted.text
    until(lambda: model_of_an_execution() == second, says="executions run on the new version")
    assert http.get(A).json()["model"] == second
    back = http.post(f"{A}/models/rollback", json={"reason": "To see it."}, headers={"Prefer": "wait=60"})
    assert back.status_code == 200 and back.json()["number"] == start, back.text
    until(lambda: model_of_an_execution() == start, says="executions run on the old version again")
    last = back.json()["promotions"][-1]
    assert (last["kind"], last["reason"], last["until"]) == ("rollback", "To see it.", None)
    ledger = [row["at"] for model in http.get(f"{A}/models").json()["items"] for row in model["promotions"]]
    for at in ledger:
        exact = datetime.fromisoformat(at)
        assert live(http, exact) != live(http, exact - timedelta(microseconds=1))


def test_a_candidate_is_declined_once_and_never_live(http: httpx.Client, first: dict[str, Any]) -> None:
    number = learn(http)["candidate"]
    before = live(http)
    declined = http.post(f"{A}/models/{number}/reject", json={"reason": "No."}).json()
    assert (declined["status"], declined["reason"], declined["live"]) == ("rejected", "No.", False)
    problem(http.post(f"{A}/models/{number}/reject"), 409, "model_not_rejectable")
    problem(http.post(f"{A}/models/{number}/promote"), 409, "model_not_promotable")
    assert http.get(f"{A}/learning-runs?limit=1").json()["items"][0]["status"] == "rejected"
    assert live(http) == before


def test_a_run_is_cancelled_while_it_learns_and_its_data_wait_again(http: httpx.Client, first: dict[str, Any]) -> None:
    batch = feed(http, *[1.0] * 200, act="slow")
    before = live(http)
    run = learn(http, ("running",))
    until(lambda: http.get(f"{BASE}/learning-runs/{run['id']}").json()["progress"], says="it learns")
    assert http.get(A).json()["learning"] == "learning"
    problem(http.post(f"{A}/learning-runs", json={}), 409, "already_learning")
    cancelled = http.post(f"{BASE}/learning-runs/{run['id']}/cancel")
    assert cancelled.status_code == 200 and cancelled.json()["status"] == "cancelled", cancelled.text
    problem(http.post(f"{BASE}/learning-runs/{run['id']}/cancel"), 409, "already_finished")
    assert sent(http, f"{BASE}/learning-runs/{run['id']}/events")[-1][2]["status"] == "cancelled"
    assert http.get(f"{A}/batches/{batch['number']}").json()["status"] == "pending"
    assert live(http) == before and http.get(A).json()["learning"] == "resting"
    assert http.delete(f"{A}/batches/{batch['number']}").status_code == 200


def test_a_run_that_fails_says_why_and_serving_goes_on(http: httpx.Client, first: dict[str, Any]) -> None:
    batch = feed(http, *[1.0] * 200, act="fail")
    run = learn(http)
    assert run["status"] == "failed" and "It cannot learn from this." in run["error"]["message"], run
    assert http.get(A).json()["health"] == "healthy"
    assert http.post(f"{A}/executions", json={"inputs": {"value": 0}}).json()["status"] == "succeeded"
    assert http.delete(f"{A}/batches/{batch['number']}").status_code == 200


@pytest.mark.parametrize(
    ("place", "body", "field"),
    [
        ("learning-runs", {"note": 5}, "note"),
        ("learning-runs", {"seed": 5}, "seed"),
        ("models/1/promote", {"to": 1}, "to"),
        ("models/1/reject", {"reason": None}, "reason"),
        ("models/rollback", {"to": "first"}, "to"),
        ("models/rollback", {"reason": "x" * 2000}, "reason"),
    ],
)
def test_a_wrong_field_is_named(
    http: httpx.Client, first: dict[str, Any], place: str, body: dict[str, Any], field: str
) -> None:
    problem(http.post(f"{A}/{place}", json=body), 422, "invalid", field)


@pytest.mark.parametrize("place", ["learning-runs", "models/1/promote", "models/rollback"])
@pytest.mark.parametrize("body", [b"{", b"null]", b"[]", b"\xff", b"5"])
def test_a_body_that_makes_no_sense_is_refused(
    http: httpx.Client, first: dict[str, Any], place: str, body: bytes
) -> None:
    answer = http.post(f"{A}/{place}", content=body, headers={"Content-Type": "application/json"})
    problem(answer, 400 if answer.status_code == 400 else 422)
    other = http.post(
        f"{A}/{place}", content=b"reason=x", headers={"Content-Type": "application/x-www-form-urlencoded"}
    )
    problem(other, 415, "unsupported_media_type")


@pytest.mark.parametrize("at", ["", "now", "2026-03-01", "2026-03-01T12:00:00", "2026-13-01T00:00:00Z", "0"])
def test_what_is_no_moment_is_refused(http: httpx.Client, first: dict[str, Any], at: str) -> None:
    problem(http.get(f"{A}/models/live", params={"at": at}), 422, "invalid", "at")


def test_what_does_not_learn_says_so_and_has_empty_lists(http: httpx.Client) -> None:
    problem(http.post(f"{ECHO}/learning-runs", json={}), 409, "not_learning")
    problem(http.post(f"{ECHO}/models/rollback", json={}), 409, "nothing_to_roll_back_to")
    for what in ("learning-runs", "models", "batches", "triggers"):
        assert http.get(f"{ECHO}/{what}").json() == {"items": [], "next": None}
    assert live_of_echo(http) == (None, None)


def live_of_echo(http: httpx.Client) -> tuple[Any, Any]:
    found = http.get(f"{ECHO}/models/live").json()
    return found["model"], found["promotion"]


@pytest.mark.parametrize("path", ["models", "models/1", "models/live", "models/1/archive"])
def test_another_method_is_405(http: httpx.Client, path: str) -> None:
    for method in ("PUT", "DELETE", "POST"):
        answer = http.request(method, f"{ECHO}/{path}")
        problem(answer, 405, "method_not_allowed")
        assert "GET" in answer.headers["allow"]


@pytest.mark.parametrize("query", ["limit=0", "cursor=x", "status=happy", "colour=red"])
def test_a_wrong_page_is_refused_and_its_parameter_named(http: httpx.Client, query: str) -> None:
    for what in ("learning-runs", "models"):
        problem(http.get(f"{ECHO}/{what}?{query}"), 422, "invalid", query.partition("=")[0])
