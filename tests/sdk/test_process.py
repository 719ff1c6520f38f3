"""A process: executes for its clients, whatever they send, and ends when it should."""

import os
import random
import signal
import socket
import struct
import zlib
from pathlib import Path

import pytest

from ovd.protocol import PREFIX, ProtocolError, pack, receive
from sdk.processes import APPS, FINAL, PATIENCE, Start, folder_of, wait_until


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\x00" + bytes(width) for _ in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 0)) + chunk(b"IEND", b"")


def test_a_quick_execution_gives_one_result_and_nothing_else(start: Start) -> None:
    client = start(APPS / "echo").client()
    client.begin({"message": "hello ñ", "times": 2}, id="a")
    frames = client.until("result")
    assert [frame["type"] for frame in frames] == ["result"]
    assert frames[-1]["id"] == "a"
    assert frames[-1]["outputs"] == {"result": "hello ñhello ñ"}
    assert frames[-1]["seconds"] >= 0


def test_defaults_are_filled_in_where_the_gateway_left_them_out(start: Start) -> None:
    assert start(APPS / "echo").client().execute({"message": "x"})["outputs"] == {"result": "x"}


def test_the_ready_frame_tells_how_long_import_and_setup_took(start: Start) -> None:
    process = start(APPS / "echo", is_ready=False)
    frame = process.heard()
    assert frame["type"] == "ready"
    assert set(frame["seconds"]) == {"import", "setup"}


def test_many_executions_on_one_connection_are_answered_in_their_order(start: Start) -> None:
    client = start(APPS / "echo").client()
    for number in range(200):
        client.begin({"message": str(number)}, id=f"e{number}")
    results = []
    while len(results) < 200:
        frame = client.receive()
        if frame["type"] == "result":
            results.append((frame["id"], frame["outputs"]["result"]))
    assert results == [(f"e{number}", str(number)) for number in range(200)]


def test_a_file_goes_in_and_the_same_file_and_numbers_come_out(start: Start) -> None:
    process = start(APPS / "image-size")
    client = process.client()
    picture = png(1500, 900)
    assert len(picture) > 1 << 20
    photo = {"file": "f0", "name": "p.png", "media_type": "image/png", "size": len(picture)}
    frame = client.execute({"photo": photo}, files={"f0": picture})
    assert frame["type"] == "result", frame
    outputs = frame["outputs"]
    assert (outputs["width"], outputs["height"]) == (1500, 900)
    copy = outputs["copy"]
    assert copy == {"file": copy["file"], "name": "copy.png", "media_type": "image/png", "size": len(picture)}
    assert client.files[copy["file"]] == picture
    wait_until(lambda: not list((process.scratch / "work").iterdir()))


def test_progress_and_printed_lines_come_while_it_works_also_with_one_at_a_time(start: Start) -> None:
    client = start(APPS / "slow", "--concurrency", "1").client()
    client.begin({"seconds": 0.3, "steps": 3}, seed=7)
    frames = client.until("result")
    assert [frame["fraction"] for frame in frames if frame["type"] == "progress"] == pytest.approx([1 / 3, 2 / 3, 1])
    lines = [frame for frame in frames if frame["type"] == "log"]
    assert "".join(frame["text"] for frame in lines) == "step 1 of 3\nstep 2 of 3\nstep 3 of 3\n"
    assert {frame["stream"] for frame in lines} == {"stdout"}
    assert frames[-1]["outputs"] == {"steps": 3, "seed": 7}


def test_two_executions_run_at_once_and_a_third_waits_when_two_are_declared(start: Start) -> None:
    client = start(APPS / "slow").client()
    for id in ("a", "b", "c"):
        client.begin({"seconds": 0.4, "steps": 1}, id=id)
    told = [(frame["type"], frame["id"]) for frame in client.until("result")]
    assert ("started", "a") in told and ("started", "b") in told
    assert ("started", "c") not in told
    rest = client.until("result") + client.until("result")
    assert ("started", "c") in [(frame["type"], frame["id"]) for frame in rest]


def test_lines_of_two_executions_are_not_mixed_up(start: Start) -> None:
    client = start(APPS / "slow").client()
    client.begin({"seconds": 0.2, "steps": 4}, id="a")
    client.begin({"seconds": 0.2, "steps": 5}, id="b")
    frames = client.until("result") + client.until("result")
    for id, steps in (("a", 4), ("b", 5)):
        text = "".join(frame["text"] for frame in frames if frame["type"] == "log" and frame["id"] == id)
        assert text == "".join(f"step {step} of {steps}\n" for step in range(1, steps + 1))


@pytest.mark.parametrize("concurrency", ["1", "2"])
def test_a_running_execution_is_cancelled_soon(start: Start, concurrency: str) -> None:
    client = start(APPS / "slow", "--concurrency", concurrency).client()
    client.begin({"seconds": 60, "steps": 1000})
    client.until("progress")
    client.send({"type": "cancel", "id": "e1"})
    final = client.until("result", "failed")[-1]
    assert (final["type"], final["code"]) == ("failed", "cancelled")


def test_a_waiting_execution_is_cancelled_at_once_although_another_runs(start: Start) -> None:
    client = start(APPS / "slow", "--concurrency", "1").client()
    client.begin({"seconds": 60, "steps": 1000}, id="a")
    client.until("progress")
    client.begin({"seconds": 60}, id="b")
    client.send({"type": "cancel", "id": "b"})
    final = client.until("failed")[-1]
    assert (final["id"], final["code"]) == ("b", "cancelled")
    client.send({"type": "cancel", "id": "a"})
    assert client.until("failed")[-1]["id"] == "a"


def test_cancelling_what_has_ended_does_nothing(start: Start) -> None:
    client = start(APPS / "echo").client()
    client.execute({"message": "x"})
    client.send({"type": "cancel", "id": "e1"})
    assert client.execute({"message": "y"})["outputs"] == {"result": "y"}


def test_an_id_can_be_used_again_once_its_final_frame_came(start: Start) -> None:
    client = start(APPS / "slow").client()
    for _ in range(50):
        assert client.execute({"seconds": 0, "steps": 1})["type"] == "result"


def test_the_time_limit_ends_an_execution_that_looks_at_its_context(start: Start) -> None:
    final = start(APPS / "slow").client().execute({"seconds": 60, "steps": 1000}, timeout=0.2)
    assert (final["type"], final["code"]) == ("failed", "timeout")


def test_a_client_that_goes_away_does_not_stop_what_runs_and_others_are_served(start: Start) -> None:
    process = start(APPS / "slow", "--concurrency", "1")
    gone = process.client()
    gone.begin({"seconds": 0.3, "steps": 3})
    gone.until("progress")
    gone.close()
    assert process.client().execute({"seconds": 0, "steps": 1})["type"] == "result"


@pytest.mark.parametrize(
    "nonsense",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        PREFIX.pack(2**31, 0),
        PREFIX.pack(4, 0) + b"nope",
        pack({"type": "dance", "id": "x"}),
        pack({"type": "execute"}),
        pack({"type": "execute", "id": "x", "inputs": []}),
        pack({"type": "execute", "id": "x", "inputs": {}, "timeout": "long"}),
        pack({"type": "execute", "id": {"a": 1}, "inputs": {}}),
        pack({"type": "file", "id": "x", "file": "../../../etc/passwd", "last": True}, b"x"),
        pack({"type": "file", "id": "x", "file": "f0", "last": True}, b"echo takes no files"),
    ],
)
def test_nonsense_closes_that_connection_only(start: Start, nonsense: bytes) -> None:
    process = start(APPS / "echo")
    good, bad = process.client(), process.client()
    bad.sock.sendall(nonsense)
    assert bad.is_closed_by_the_process()
    assert good.execute({"message": "still here"})["outputs"] == {"result": "still here"}


def test_files_beyond_what_any_input_allows_close_the_connection_and_leave_nothing(start: Start) -> None:
    process = start(APPS / "image-size")
    client = process.client()
    with pytest.raises((ConnectionError, AssertionError, ProtocolError)):
        for _ in range(100):
            client.send({"type": "file", "id": "x", "file": "f0", "last": False}, bytes(1 << 20))
        client.receive()
    wait_until(lambda: not list((process.scratch / "work").iterdir()))


def test_a_client_that_never_ends_its_frame_harms_nobody(start: Start) -> None:
    process = start(APPS / "echo")
    process.client().sock.sendall(pack({"type": "execute", "id": "x", "inputs": {"message": "m"}})[:20])
    assert process.client().execute({"message": "x"})["type"] == "result"


def test_a_client_that_reads_nothing_harms_nobody(start: Start) -> None:
    process = start(APPS / "echo")
    deaf = process.client()
    for number in range(40):
        deaf.begin({"message": "x" * 50_000, "times": 1}, id=f"e{number}")
    assert process.client().execute({"message": "x"})["type"] == "result"
    assert {deaf.until("result")[-1]["id"] for _ in range(40)} == {f"e{number}" for number in range(40)}


@pytest.mark.parametrize(
    ("way", "code", "words"),
    [
        ("raise", "exception", "ValueError: the author made a mistake"),
        ("exit", "exception", "sys.exit('I leave')"),
        ("memory", "memory", "no room for 10 TB"),
        ("nan", "output", 'Output "value" is NaN'),
        ("undeclared", "output", 'Output "surprise" is not declared'),
        ("missing", "output", 'Output "value" is declared but was not given'),
        ("type", "output", "Output \"value\" must be a number, not the text 'many'"),
    ],
)
def test_what_goes_wrong_inside_is_told_and_the_next_execution_succeeds(
    start: Start, way: str, code: str, words: str
) -> None:
    client = start(APPS / "crasher").client()
    final = client.execute({"way": way})
    assert (final["type"], final["code"]) == ("failed", code)
    assert words in final["message"]
    assert client.execute({"way": "none"})["outputs"] == {"value": 1.0}


def test_a_traceback_shows_the_authors_frames_and_none_of_ours(start: Start) -> None:
    traceback = start(APPS / "crasher").client().execute({"way": "raise"})["traceback"]
    assert 'File "app.py", line ' in traceback
    assert "fail_deeply(2)" in traceback
    assert "ovd/" not in traceback and str(APPS) not in traceback


def test_a_rejection_is_polite_and_no_failure(start: Start) -> None:
    final = start(APPS / "crasher").client().execute({"way": "reject"})
    assert (final["type"], final["message"]) == ("rejected", "This input is not for me, sorry.")


def test_a_flood_of_lines_arrives_whole(start: Start) -> None:
    process = start(APPS / "crasher")
    drain = process.child.stdout
    assert drain is not None
    os.set_blocking(drain.fileno(), False)
    client = process.client()
    client.begin({"way": "flood"})
    text = ""
    while (frame := client.receive())["type"] != "result":
        text += frame.get("text", "")
        drain.read()
    assert text.count("\n") == 20_000


def test_inputs_nobody_checked_fail_with_a_clear_message(start: Start) -> None:
    client = start(APPS / "echo").client()
    assert client.execute({})["message"] == 'Input "message" is missing.'
    assert (
        '"mesage" is not an input. Did you mean "message"?' in client.execute({"message": "", "mesage": 1})["message"]
    )


def test_stop_lets_the_running_end_refuses_the_rest_and_exits_with_0(start: Start) -> None:
    process = start(APPS / "slow", "--concurrency", "1")
    client = process.client()
    client.begin({"seconds": 0.5, "steps": 5}, id="a")
    client.until("progress")
    client.begin({"seconds": 0}, id="waiting")
    process.tell(type="stop")
    assert client.until("refused")[-1]["id"] == "waiting"
    client.begin({"seconds": 0}, id="late")
    told = [(frame["type"], frame["id"]) for frame in client.until("refused") + client.until("result")]
    assert ("refused", "late") in told and ("result", "a") in told
    assert process.exit_code() == 0


def test_stop_while_idle_exits_with_0(start: Start) -> None:
    process = start(APPS / "slow")
    process.tell(type="stop")
    assert process.exit_code() == 0


def test_a_process_whose_runner_is_gone_ends_at_once_even_at_work(start: Start) -> None:
    process = start(APPS / "slow")
    client = process.client()
    client.begin({"seconds": 60, "steps": 10})
    assert client.receive()["type"] == "started"
    process.control.close()
    assert process.exit_code() == 1


def test_a_process_whose_lease_ran_out_is_ended_by_the_kernel_even_in_a_spin(start: Start) -> None:
    process = start(APPS / "crasher")
    process.tell(type="lease", seconds=60)
    process.tell(type="lease", seconds=0.3)
    client = process.client()
    client.begin({"way": "spin"})
    assert process.exit_code() == -signal.SIGALRM


def test_an_application_that_cannot_be_imported_says_so_and_exits_with_1(start: Start, tmp_path: Path) -> None:
    process = start(folder_of(tmp_path / "broken", "import nothing_like_that\n"), is_ready=False)
    frame = process.heard()
    assert (frame["type"], frame["stage"]) == ("failed", "import")
    assert "There is no module nothing_like_that" in frame["message"]
    assert process.exit_code() == 1


def test_a_setup_that_raises_says_so_with_the_authors_traceback(start: Start, tmp_path: Path) -> None:
    code = """
        from ovd import App
        class Tried(App):
            def setup(self, model):
                raise RuntimeError("no weights")
            def execute(self, context, x: int) -> int:
                return x
    """
    process = start(folder_of(tmp_path / "app", code), is_ready=False)
    frame = process.heard()
    assert (frame["type"], frame["stage"]) == ("failed", "setup")
    assert frame["message"] == "RuntimeError: no weights"
    assert 'File "app.py", line 5' in frame["traceback"]
    assert process.exit_code() == 1


def test_the_same_frames_come_through_a_second_connection(start: Start) -> None:
    process = start(APPS / "echo")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(PATIENCE)
        sock.connect(process.path)
        sock.sendall(pack({"type": "execute", "id": 5, "inputs": {"message": "m"}, "seed": 0, "timeout": None}))
        kinds = []
        while "result" not in kinds:
            frame = receive(sock)
            assert frame is not None
            assert frame[0]["id"] == 5
            kinds.append(frame[0]["type"])
        assert kinds == ["result"]


def test_an_execution_that_says_something_was_started_before(start: Start) -> None:
    client = start(APPS / "slow").client()
    client.begin({"seconds": 0.0, "steps": 1}, id="a")
    kinds = [frame["type"] for frame in client.until("result")]
    assert kinds[0] == "started"
    assert kinds.count("started") == 1


def test_what_waits_can_be_withdrawn_and_what_runs_cannot(start: Start) -> None:
    client = start(APPS / "slow", "--concurrency", "1").client()
    for id in ("a", "b"):
        client.begin({"seconds": 0.5, "steps": 5}, id=id)
    client.until("started")
    for id in ("a", "b"):
        client.send({"type": "withdraw", "id": id})
    told = [(frame["type"], frame["id"]) for frame in client.until("result")]
    assert ("refused", "b") in told
    assert told[-1] == ("result", "a")


@pytest.mark.parametrize("concurrency", ["1", "3"])
def test_each_execution_has_exactly_one_final_frame_whatever_is_cancelled_or_lost(
    start: Start, tmp_path: Path, concurrency: str
) -> None:
    code = """
        import time
        from ovd import App
        class Tried(App):
            def execute(self, context, seconds: float) -> float:
                time.sleep(seconds)
                return seconds
    """
    process = start(folder_of(tmp_path / "app", code), "--concurrency", concurrency)
    clients = [process.client() for _ in range(4)]
    draw = random.Random(3)
    count = 60
    for number in range(count):
        for client in clients:
            # around the moment at which another thread takes over reading
            client.begin({"seconds": draw.choice([0, 0.001, 0.018, 0.02, 0.022])}, id=f"e{number}")
            if draw.random() < 0.3:
                client.send({"type": "cancel", "id": f"e{draw.randint(0, number)}"})
    clients.pop().close()
    for client in clients:
        finals: list[str] = []
        while len(finals) < count:
            frame = client.receive()
            if frame["type"] in FINAL:
                finals.append(frame["id"])
        assert sorted(finals) == sorted(f"e{number}" for number in range(count))
    process.tell(type="stop")
    assert process.exit_code() == 0
    for client in clients:
        assert receive(client.sock) is None


def test_a_long_execution_is_said_to_have_started_long_before_its_result(start: Start) -> None:
    client = start(APPS / "slow", "--concurrency", "1").client()
    client.begin({"seconds": 600, "steps": 1})
    assert client.receive()["type"] == "started"
