"""The client against a small platform over real sockets."""

import socket
from pathlib import Path

import pytest

from ovd.client import (
    Client,
    Conflict,
    Execution,
    FilePart,
    InvalidInput,
    NotFound,
    NotSignedIn,
    OvdError,
    PlatformFailed,
    TooManyRequests,
    Unreachable,
)
from sdk.client_platform import TOKEN, Platform, running


def test_an_execution_returns_its_outputs(client: Client) -> None:
    execution = client.execute("acme/double", {"number": 21}, seed=7)
    assert (execution.status, execution.outputs["twice"], execution.seconds) == ("succeeded", 42, 0.25)
    assert execution.document["seed"] == 7


def test_a_file_travels_both_ways_and_its_bytes_are_compared(client: Client, tmp_path: Path) -> None:
    source = tmp_path / "paper.txt"
    source.write_text("water")
    execution = client.execute("acme/double", {"number": 1}, files={"paper": source}, seed=3)
    assert execution.document["seed"] == 3
    target = client.download(execution.outputs["copy"], tmp_path / "copy.txt")
    assert target.read_text() == "water"


def test_bytes_and_parts_can_be_sent_as_files(client: Client) -> None:
    part = FilePart("a.txt", b"abc", "text/plain")
    assert client.execute("acme/double", {"number": 1}, files={"paper": part}).outputs["copy"]["size"] == 3
    assert client.execute("acme/double", {"number": 1}, files={"paper": b"ab"}).outputs["copy"]["size"] == 2


def test_a_damaged_download_leaves_nothing_behind(client: Client, platform: Platform, tmp_path: Path) -> None:
    copy = client.execute("acme/double", {"number": 1}, files={"paper": b"water"}).outputs["copy"]
    for digest in platform.files:
        platform.files[digest] = b"wine"
    with pytest.raises(PlatformFailed, match="digest"):
        client.download(copy, tmp_path / "copy.txt")
    assert list(tmp_path.iterdir()) == []


def test_a_downloaded_name_cannot_leave_its_folder(client: Client, tmp_path: Path) -> None:
    copy = client.execute("acme/double", {"number": 1}, files={"paper": b"water"}).outputs["copy"]
    folder = tmp_path / "results"
    folder.mkdir()
    assert client.download({**copy, "name": "../../evil"}, folder) == folder / "evil"


def test_a_retry_after_a_lost_answer_never_executes_twice(client: Client, platform: Platform) -> None:
    platform.next_failures = ["drop", "502", "503"]
    assert client.execute("acme/double", {"number": 2}).outputs == {"twice": 4}
    assert len(platform.executions) == 1
    keys = {headers["idempotency-key"] for method, _, headers in platform.requests if method == "POST"}
    assert platform.count("POST", "/executions") == 4
    assert len(keys) == 1


def test_two_executions_have_two_keys_and_one_key_has_one_execution(client: Client, platform: Platform) -> None:
    client.execute("acme/double", {"number": 2})
    client.execute("acme/double", {"number": 2})
    assert len(platform.executions) == 2
    first = client.execute("acme/double", {"number": 2}, idempotency_key="night-7")
    assert client.execute("acme/double", {"number": 2}, idempotency_key="night-7").id == first.id


def test_a_push_whose_answer_was_lost_is_not_sent_again(client: Client, platform: Platform, tmp_path: Path) -> None:
    (tmp_path / "ovd.toml").write_text("")
    platform.next_failures = ["drop"]
    with pytest.raises(Unreachable):
        client.push(tmp_path, "acme", name="double")
    assert platform.count("POST", "/releases") == 1


def test_a_busy_platform_is_asked_again_when_it_says(client: Client, platform: Platform) -> None:
    platform.next_failures = ["429:0.05"]
    assert client.me()["user"]["username"] == "ada"
    assert platform.count("GET", "/me") == 2


def test_a_platform_that_is_busy_for_long_is_left_alone(client: Client, platform: Platform) -> None:
    platform.next_failures = ["429:600"]
    with pytest.raises(TooManyRequests) as caught:
        client.me()
    assert caught.value.retry_after == 600
    assert platform.count("GET", "/me") == 1


def test_a_fault_of_the_platform_is_not_repeated(client: Client, platform: Platform) -> None:
    platform.next_failures = ["500"]
    with pytest.raises(PlatformFailed, match="Told to answer 500"):
        client.me()
    assert platform.count("GET", "/me") == 1


def test_waiting_ends_when_the_execution_does(client: Client, platform: Platform) -> None:
    platform.looks_until_done = 3
    seen: list[str] = []
    started = client.execute("acme/double", {"number": 4}, wait=0)
    assert not started.is_finished
    assert client.wait(started.id, on_change=lambda execution: seen.append(execution.status)).outputs == {"twice": 8}
    assert seen == ["running", "running", "succeeded"]


def test_waiting_gives_up_when_told_to(client: Client, platform: Platform) -> None:
    platform.looks_until_done = 10**9
    assert client.execute("acme/double", {"number": 4}, wait=0.1).status == "running"


def test_execute_asks_the_platform_to_wait_or_not(client: Client, platform: Platform) -> None:
    client.execute("acme/double", {"number": 4}, wait=0)
    client.execute("acme/double", {"number": 4}, wait=20)
    client.execute("acme/double", {"number": 4}, wait=None)
    asked = [headers["prefer"] for method, _, headers in platform.requests if method == "POST"]
    assert asked == ["respond-async", "wait=20", "wait=300"]


def test_events_resume_where_the_connection_broke(client: Client, platform: Platform) -> None:
    execution = client.execute("acme/double", {"number": 4})
    platform.events_per_connection = 2
    events = list(client.events(execution.id))
    assert [event.name for event in events] == ["status", "log", "progress", "log", "done"]
    assert events[1].data["text"] == "one\u2028line\n"
    resumed = [headers.get("last-event-id") for _, path, headers in platform.requests if path.endswith("/events")]
    assert resumed == [None, "2", "4"]


def test_a_stream_that_was_read_to_its_end_is_over(client: Client) -> None:
    execution = client.execute("acme/double", {"number": 4})
    assert list(client.events(execution.id, after="5")) == []


def test_the_log_so_far_does_not_wait_for_the_end(client: Client, platform: Platform) -> None:
    platform.looks_until_done = 2
    execution = client.execute("acme/double", {"number": 4}, wait=0)
    platform.events_per_connection, platform.falls_silent = 2, True
    assert client.log(execution.id) == "one\u2028line\n"
    platform.events_per_connection, platform.falls_silent = 100, False
    assert client.log(execution.id) == "one\u2028line\ntwo\n"


def test_a_build_is_followed_over_broken_connections(client: Client, platform: Platform) -> None:
    platform.events_per_connection = 1
    assert list(client.build_log("acme/double", 4)) == ["step 0\n", "step 1\n", "step 2\n"]


def test_lists_are_read_to_their_end(client: Client) -> None:
    assert [item["name"] for item in client.applications()] == ["double", "empty"]


def test_wrong_inputs_name_each_field(client: Client) -> None:
    with pytest.raises(InvalidInput) as caught:
        client.execute("acme/double", {"number": 1000, "colour": "red"})
    assert [error.field for error in caught.value.errors] == ["number", "colour"]
    assert caught.value.code == "invalid"


def test_each_refusal_has_its_kind(client: Client, platform: Platform) -> None:
    with pytest.raises(NotFound, match="no /executions/gone"):
        client.execution("gone")
    with pytest.raises(NotFound, match="organisation/name"):
        client.application("double")
    with pytest.raises(Conflict, match="finished already"):
        client.cancel(client.execute("acme/double", {"number": 1}).id)
    with pytest.raises(Conflict, match="no release"):
        client.schema("acme/empty")
    with Client(platform.url, "wrong") as stranger, pytest.raises(NotSignedIn, match="not known"):
        stranger.me()


def test_nobody_there_is_said_after_the_patience() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with Client(f"http://127.0.0.1:{port}", TOKEN, patience=0.3) as client, pytest.raises(Unreachable) as caught:
        client.me()
    assert "Nothing answers at" in str(caught.value)


def test_an_address_without_scheme_is_refused() -> None:
    with pytest.raises(OvdError, match="http://"):
        Client("ovd.example.org", TOKEN)


def test_the_token_is_not_sent_to_another_host(client: Client, platform: Platform, tmp_path: Path) -> None:
    with running() as other, pytest.raises(NotSignedIn):
        client.download({"name": "x", "url": f"{other.url}/api/v1/files/x"}, tmp_path / "x")
    assert "authorization" not in other.requests[0][2]


def test_a_failure_says_why() -> None:
    execution = Execution.from_document({"id": "1", "status": "failed", "error": {"code": "memory", "message": "No."}})
    assert (execution.reason, execution.is_finished, execution.is_success) == ("No.", True, False)
