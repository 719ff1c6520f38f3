"""What the client asks about learning: runs, their events and logs, model versions, and what was live when."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from ovd.client import Client, Conflict, InvalidInput, PlatformFailed
from sdk import learning_platform
from sdk.client_platform import Platform
from sdk.learning_platform import RUN

FLOW = "acme/flow"


def test_a_run_is_started_with_a_note_and_read(client: Client, platform: Platform) -> None:
    started = client.learn(FLOW, note="A new sensor.")
    assert (started.id, started.number, started.status, started.is_finished) == (RUN, 3, "queued", False)
    client.learn(FLOW)
    assert platform.learning.bodies == [("learning-runs", {"note": "A new sensor."}), ("learning-runs", {})]
    run = client.learning_run(RUN)
    assert (run.status, run.is_finished, run.candidate, run.application) == ("promoted", True, 2, FLOW)
    assert run.verdict == "mae 3.41 is 0.22 lower than 3.63 of version 1."
    assert client.learning_runs(FLOW) == [run]
    assert client.learning_log(RUN) == "epoch 1\n"
    assert client.cancel_learning(RUN).status == "cancelled"


def test_a_run_that_failed_says_why(client: Client, platform: Platform) -> None:
    platform.learning.ends = "failed"
    assert client.learning_run(RUN).reason == "ValueError: no water"


def test_a_second_run_is_a_conflict(client: Client, platform: Platform) -> None:
    platform.learning.is_open = True
    with pytest.raises(Conflict) as refused:
        client.learn(FLOW)
    assert refused.value.code == "already_learning"


def test_events_survive_broken_connections(client: Client, platform: Platform) -> None:
    platform.events_per_connection = 3
    found = list(client.learning_events(RUN))
    assert [event.name for event in found] == [name for name, _ in platform.learning.events()]
    assert platform.count("GET", "/events") == 3
    assert [event.name for event in client.learning_events(RUN, after=found[-2].id)] == ["done"]


def test_versions_are_read_with_what_they_are(client: Client) -> None:
    second, first = client.models(FLOW)
    assert (second.number, second.is_live, second.status) == (2, True, "active")
    assert (first.number, first.is_live, first.metrics["mae"]) == (1, False, 6.0)
    assert client.model(FLOW, 1) == first


def test_a_version_is_downloaded_under_a_proper_name_and_compared(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = client.download_model(FLOW, 2, tmp_path)
    assert (target.name, target.read_bytes()) == ("flow-model-2.tar", learning_platform.TAR)
    assert client.download_model(FLOW, 1, tmp_path / "mine.tar").name == "mine.tar"
    model = client.model(FLOW, 2).document
    monkeypatch.setattr(learning_platform.Learning, "model", lambda *_: {**model, "digest": "sha256:" + "0" * 64})
    with pytest.raises(PlatformFailed, match="do not have the digest"):
        client.download_model(FLOW, 2, tmp_path / "other.tar")
    assert {file.name for file in tmp_path.iterdir()} == {"flow-model-2.tar", "mine.tar"}


def test_what_is_live_is_changed_and_waited_for(client: Client, platform: Platform) -> None:
    assert client.promote(FLOW, 2, reason="Better.", wait=45).is_live
    assert client.rollback(FLOW, to=2, reason="It drifted.").is_live
    platform.learning.is_swapping = True
    assert not client.rollback(FLOW, wait=0).is_live
    assert client.reject(FLOW, 2).status == "rejected"
    assert platform.learning.bodies == [
        ("promote", {"reason": "Better."}),
        ("rollback", {"reason": "It drifted.", "to": 2}),
        ("rollback", {}),
        ("reject", {}),
    ]
    preferred = [headers.get("prefer") for method, _, headers in platform.requests if method == "POST"]
    assert preferred == ["wait=45", "wait=10", "respond-async", None]


@pytest.mark.parametrize(
    ("at", "asked"),
    [
        ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z"),
        (datetime(2026, 3, 1, 12, tzinfo=UTC), "2026-03-01T12:00:00+00:00"),
        (datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=1))), "2026-03-01T12:00:00+01:00"),
    ],
)
def test_a_moment_arrives_as_it_was_meant(
    client: Client, platform: Platform, at: str | datetime, asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learning_platform.Learning, "_live", lambda _, at: (200, {"at": at}))
    assert client.live(FLOW, at)["at"] == asked


def test_what_is_no_moment_is_refused(client: Client) -> None:
    with pytest.raises(InvalidInput) as refused:
        client.live(FLOW, "yesterday")
    assert [error.field for error in refused.value.errors] == ["at"]
    assert client.live(FLOW)["model"]["number"] == 2
