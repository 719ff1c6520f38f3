"""A task process learns or evaluates once, tells its story to whoever comes, and keeps what it made until it is
stopped."""

import hashlib
import json
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from ovd import tars
from ovd.protocol import ProtocolError, pack
from sdk.processes import Process, Start, folder_of, wait_until
from sdk.task_process import TaskClient, client_of, contents, folder_with

CODE = """
    import json, random, sys, time
    from pathlib import Path
    from ovd import App, Context, Evaluation, Outputs, number

    def wait_for(path):
        while not path.exists():
            time.sleep(0.005)

    class Tried(App):
        def setup(self, model):
            self.mean = json.loads((model / "mean.json").read_text()) if model else 0.0

        def execute(self, context: Context, x: float = number(default=1.0)) -> float:
            print("executing")
            return x * self.mean

        def learn(self, context: Context, data, parent, target):
            WORK
            values = data.column("flow")
            (target / "mean.json").write_text(json.dumps(sum(values) / len(values)))
            return {"samples": len(data), "seed": context.seed, "drawn": random.random()}

        def evaluate(self, context: Context, data):
            JUDGE
            scores = [abs(row["flow"] - self.mean) for row in data]
            return Evaluation({"mae": sum(scores) / len(scores)}, scores)
"""
LEARNS = '[learn]\n[learn.sample]\ntime = "datetime"\nflow = "number"\n[gate]\nmetric = "mae"\n'
ROWS = [{"time": f"2022-03-01T0{hour}:00:00Z", "flow": hour} for hour in range(5)]


def app(where: Path, work: str = "pass", judge: str = "pass", *, manifest: str = LEARNS, **more: Any) -> Path:
    """A folder whose `learn` begins with these lines, and `evaluate` with those."""
    code = CODE.replace("WORK", work.replace("\n", "\n" + " " * 12)).replace(
        "JUDGE", judge.replace("\n", "\n" + " " * 12)
    )
    return folder_of(where / "app", code, manifest=manifest, **more)


def begun(start: Start, folder: Path, *arguments: str) -> tuple[Process, TaskClient]:
    process = start(folder, "--task", *arguments)
    return process, client_of(process)


def read_what_it_prints(process: Process) -> None:
    """So that its pipe is never full."""
    threading.Thread(target=lambda: process.child.stdout and process.child.stdout.read(), daemon=True).start()


def test_learning_tells_its_story_and_makes_a_model(start: Start, tmp_path: Path) -> None:
    work = """context.progress(0.5, "half")
context.metric("loss", 0.25, step=3)
print("printed")
context.log("logged")
sys.stderr.write("warned\\n")"""
    _, client = begun(start, app(tmp_path, work))
    client.learn(ROWS)
    events = client.to_the_end()
    assert [event["seq"] for event in events] == sorted({event["seq"] for event in events})
    assert all(event["id"] == "t1" for event in events)
    told = [(event["kind"], event["body"]) for event in events]
    assert told[0] == ("started", {})
    assert told[1] == ("progress", {"fraction": 0.5, "message": "half"})
    assert told[2] == ("metric", {"name": "loss", "value": 0.25, "step": 3})
    assert "".join(b["text"] for kind, b in told if kind == "log" and b["stream"] == "stdout") == "printed\nlogged\n"
    assert "".join(b["text"] for kind, b in told if kind == "log" and b["stream"] == "stderr") == "warned\n"
    kind, body = told[-1]
    assert kind == "done"
    assert body["metrics"]["samples"] == 5 and body["metrics"]["seed"] == 7
    assert body["seconds"] > 0
    model = client.fetch(body["file"])
    assert len(model) == body["size"]
    assert contents(model) == {"mean.json": b"2.0"}


def test_the_same_seed_and_data_give_the_same_bytes(start: Start, tmp_path: Path) -> None:
    work = '(target / "b").mkdir()\n(target / "b" / "x").write_text(str(random.random()))\n(target / "a").touch()'
    folder = app(tmp_path, work)
    digests, drawn = set(), set()
    for _ in range(2):
        _, client = begun(start, folder)
        client.learn(ROWS)
        body = client.end()[1]
        digests.add(hashlib.sha256(client.fetch(body["file"])).hexdigest())
        drawn.add(body["metrics"]["drawn"])
    assert len(digests) == len(drawn) == 1


def test_evaluating_gives_metrics_scores_and_how_long_the_samples_take(start: Start, tmp_path: Path) -> None:
    model = folder_with(tmp_path / "model", {"mean.json": "2.0"})
    samples: dict[str, Any] = {"one": {"inputs": {"x": 3}, "expect": {"result": 0.0}}, "two": {"inputs": {}}}
    _, client = begun(start, app(tmp_path, samples=samples), "--model", str(model))
    client.evaluate(ROWS)
    kind, body = client.end()
    assert kind == "done"
    assert body["metrics"] == {"mae": 1.2}
    assert json.loads(client.fetch(body["scores"])) == [2.0, 1.0, 0.0, 1.0, 2.0]
    assert 0 <= body["execution_seconds"] < 5
    assert [(run["name"], run["status"], run["message"]) for run in body["samples"]] == [
        ("one", "passed", ""),
        ("two", "passed", ""),
    ]


def test_evaluating_without_a_model_scores_or_samples_says_null(start: Start, tmp_path: Path) -> None:
    _, client = begun(start, app(tmp_path, judge='return Evaluation({"mae": 3})'))
    client.evaluate(ROWS)
    kind, body = client.end()
    assert kind == "done"
    assert (body["metrics"], body["scores"], body["execution_seconds"], body["samples"]) == (
        {"mae": 3.0}, None, None, [],
    )  # fmt: skip


def test_a_sample_that_fails_with_the_model_is_told_and_does_not_fail_the_evaluation(
    start: Start, tmp_path: Path
) -> None:
    judge = 'self.mean = "nonsense"\nreturn Evaluation({"mae": 3})'
    _, client = begun(start, app(tmp_path, judge=judge, samples={"one": {"inputs": {"x": 3}}}))
    client.evaluate(ROWS)
    kind, body = client.end()
    assert kind == "done"
    assert body["execution_seconds"] is None
    assert body["samples"][0]["status"] == "failed"
    assert "TypeError" in body["samples"][0]["message"]


def test_the_parent_is_the_model_that_the_process_was_started_with(start: Start, tmp_path: Path) -> None:
    model = folder_with(tmp_path / "model", {"mean.json": "2.5"})
    work = 'assert parent == context.model and self.mean == 2.5\nprint((parent / "mean.json").read_text())'
    _, client = begun(start, app(tmp_path, work), "--model", str(model))
    client.learn(ROWS)
    events = client.to_the_end()
    assert [event["body"]["text"] for event in events if event["kind"] == "log"] == ["2.5\n"]
    assert events[-1]["kind"] == "done"


def test_a_client_that_comes_back_gets_what_it_missed_and_then_the_rest(start: Start, tmp_path: Path) -> None:
    go = tmp_path / "go"
    work = f"""for step in range(10):
    context.metric("loss", step)
wait_for(Path({str(go)!r}))
for step in range(10, 20):
    context.metric("loss", step)"""
    process, first = begun(start, app(tmp_path, work))
    first.learn(ROWS)
    before = [first.event() for _ in range(6)]
    first.close()
    second = client_of(process)
    second.follow(before[-1]["seq"])
    missed = [second.event() for _ in range(5)]
    go.touch()
    after = second.to_the_end()
    values = [event["body"]["value"] for event in before + missed + after if event["kind"] == "metric"]
    assert values == list(range(20))
    numbers = [event["seq"] for event in before + missed + after]
    assert numbers == sorted(set(numbers))


def test_it_works_on_when_nobody_listens_and_keeps_its_files(start: Start, tmp_path: Path) -> None:
    done = tmp_path / "done"
    process, client = begun(start, app(tmp_path, f"Path({str(done)!r}).touch()"))
    client.learn(ROWS)
    client.close()
    wait_until(done.exists)
    for _ in range(2):
        later = client_of(process)
        later.follow()
        kind, body = later.end()
        assert kind == "done"
        assert contents(later.fetch(body["file"])) == {"mean.json": b"2.0"}
        later.close()


def test_a_second_order_with_the_same_id_is_ignored(start: Start, tmp_path: Path) -> None:
    process, first = begun(start, app(tmp_path, 'print("once")'))
    first.learn(ROWS)
    assert first.end()[0] == "done"
    second = client_of(process)
    second.learn(ROWS[:2])
    second.follow()
    events = second.to_the_end()
    assert [event["kind"] for event in events] == ["started", "log", "done"]
    assert events[-1]["body"]["metrics"]["samples"] == 5


def test_following_what_one_follows_already_repeats_nothing(start: Start, tmp_path: Path) -> None:
    _, client = begun(start, app(tmp_path))
    client.follow()
    client.learn(ROWS)
    client.follow()
    assert [event["seq"] for event in client.to_the_end()] == [1, 2]
    client.follow(1)
    client.follow()
    client.send({"type": "fetch", "id": "t1", "file": "model"})
    assert client.receive()["type"] == "file"


def test_the_newest_connection_is_the_client_and_the_one_before_is_closed(start: Start, tmp_path: Path) -> None:
    process, old = begun(start, app(tmp_path))
    silent = client_of(process)
    new = client_of(process)
    old.follow()
    new.learn(ROWS)
    assert new.end()[0] == "done"
    assert old.is_closed_by_the_process()
    silent.send({"type": "cancel", "id": "t1"})
    assert silent.is_closed_by_the_process()
    assert contents(new.fetch("model"))


def test_half_the_files_of_a_client_that_died_do_no_harm(start: Start, tmp_path: Path) -> None:
    process, dying = begun(start, app(tmp_path))
    dying.send({"type": "file", "id": "t1", "file": "train", "last": False}, b'{"half')
    dying.close()
    client = client_of(process)
    client.learn(ROWS)
    assert client.end()[1]["metrics"]["samples"] == 5


STEPS = """state = context.checkpoint / "step.txt"
step = int(state.read_text()) if state.exists() else 0
print(f"from step {step}")
while step < 1000:
    step += 1
    state.write_text(str(step))
    if step % 10 == 0 or context.should_yield:
        context.save()
        time.sleep(0.005)"""


def test_a_run_that_gives_way_goes_on_from_its_checkpoint(start: Start, tmp_path: Path) -> None:
    folder = app(tmp_path, STEPS)
    _, client = begun(start, folder)
    client.learn(ROWS)
    client.to_the("checkpoint")
    client.send({"type": "yield", "id": "t1"})
    kind, body = client.end()
    assert kind == "yielded"
    saved = client.fetch(body["file"])
    assert len(saved) == body["size"]
    step = int(contents(saved)["step.txt"])
    assert 10 <= step < 1000
    _, again = begun(start, folder)
    again.learn(ROWS, checkpoint=saved)
    events = again.to_the_end()
    log = "".join(event["body"]["text"] for event in events if event["kind"] == "log")
    assert log == f"from step {step}\n"
    assert events[-1]["kind"] == "done"


def test_whoever_fetches_checkpoints_slower_than_they_are_saved_gets_whole_ones(start: Start, tmp_path: Path) -> None:
    work = """for step in range(300):
    (context.checkpoint / "step.txt").write_text(str(step) * 1000)
    context.save()"""
    _, client = begun(start, app(tmp_path, work))
    client.learn(ROWS)
    last, fetched = -1, 0
    while (event := client.event())["kind"] != "done":
        if event["kind"] == "checkpoint":
            client.send({"type": "fetch", "id": "t1", "file": event["body"]["file"]})
            client.files.clear()
            while (header := client.receive())["type"] != "file" or not header["last"]:
                if header["type"] == "event" and header["kind"] == "done":
                    return
            text = contents(client.files[event["body"]["file"]])["step.txt"].decode()
            step = int(text[: len(text) // 1000])
            assert text == str(step) * 1000
            assert step >= last and step >= int(event["body"]["file"].split("-")[1]) - 1
            last, fetched = step, fetched + 1
    assert fetched


def test_only_the_latest_checkpoint_is_kept(start: Start, tmp_path: Path) -> None:
    work = 'for step in range(5):\n    (context.checkpoint / "step.txt").write_text(str(step))\n    context.save()'
    process, client = begun(start, app(tmp_path, work))
    client.learn(ROWS)
    assert client.end()[0] == "done"
    later = client_of(process)
    later.follow()
    saves = [event["body"]["file"] for event in later.to_the_end() if event["kind"] == "checkpoint"]
    assert len(saves) == 1
    assert contents(later.fetch(saves[0])) == {"step.txt": b"4"}
    assert contents(later.fetch("checkpoint-1")) == {"step.txt": b"4"}  # the newer one says more
    for key in ("checkpoint-6", "checkpoint-0", "checkpoint-x", "nothing"):
        later.send({"type": "fetch", "id": "t1", "file": key})
        assert later.receive() == {"type": "file", "id": "t1", "file": key, "last": True, "gone": True}


def test_one_asked_to_yield_that_saves_nothing_may_end(start: Start, tmp_path: Path) -> None:
    go = tmp_path / "go"
    _, client = begun(start, app(tmp_path, f'print("in")\nwait_for(Path({str(go)!r}))'))
    client.learn(ROWS)
    client.to_the("log")
    client.send({"type": "yield", "id": "t1"})
    go.touch()
    assert client.end()[0] == "done"


def test_an_author_may_give_way_without_saving(start: Start, tmp_path: Path) -> None:
    work = "from ovd import Yielded\nwhile not context.should_yield:\n    time.sleep(0.005)\nraise Yielded"
    _, client = begun(start, app(tmp_path, work))
    client.learn(ROWS)
    client.to_the("started")
    client.send({"type": "yield", "id": "t1"})
    assert client.end() == ("yielded", {"file": None, "size": 0})


def test_cancelling_ends_it(start: Start, tmp_path: Path) -> None:
    work = "while True:\n    context.progress(0.1)\n    time.sleep(0.005)"
    _, client = begun(start, app(tmp_path, work))
    client.learn(ROWS)
    client.to_the("progress")
    client.send({"type": "cancel", "id": "t1"})
    kind, body = client.end()
    assert (kind, body["code"], body["traceback"]) == ("failed", "cancelled", "")


def test_async_learning_is_cancelled_where_it_waits(start: Start, tmp_path: Path) -> None:
    folder = app(tmp_path, 'import asyncio\nprint("in")\nawait asyncio.sleep(600)')
    (folder / "app.py").write_text((folder / "app.py").read_text().replace("def learn", "async def learn"))
    _, client = begun(start, folder)
    client.learn(ROWS)
    client.to_the("log")
    client.send({"type": "cancel", "id": "t1"})
    assert client.end()[1]["code"] == "cancelled"


@pytest.mark.parametrize("work", ["while True:\n    context.log('on')\n    time.sleep(0.005)", "time.sleep(600)"])
def test_the_time_limit_ends_it_whether_it_looks_or_not(start: Start, tmp_path: Path, work: str) -> None:
    _, client = begun(start, app(tmp_path, work))
    client.learn(ROWS, timeout=0.2)
    kind, body = client.end()
    assert (kind, body["code"]) == ("failed", "timeout")
    assert "time limit of 0.2 s" in body["message"]


@pytest.mark.parametrize(
    ("work", "code", "words", "traceback"),
    [
        ("raise ValueError('too few')", "exception", "ValueError: too few", 'File "app.py", line 19'),
        ("raise MemoryError('no room')", "memory", "no room", "app.py"),
        ("sys.exit(3)", "exception", "sys.exit(3)", "app.py"),
        ("return None", "output", "left the folder `target` empty", ""),
        ("(target / 'x').touch(); return None", "output", "must return metrics by name", ""),
        ("(target / 'x').touch(); return {'loss': float('nan')}", "output", "must be a finite number", ""),
        ("(target / 'x').symlink_to('/etc/passwd')", "output", "'x' is a link", ""),
        ("(context.checkpoint / 'x').symlink_to('/etc/passwd'); context.save()", "output", "is a link", ""),
        ("context.metric('loss', float('inf'))", "output", 'metric "loss" is inf', ""),
        ("data.column('flwo')", "exception", 'Did you mean "flow"?', "app.py"),
        ("data[5]", "exception", "There is no sample 5; there are 5", "app.py"),
    ],
)
def test_what_goes_wrong_inside_is_told_with_the_authors_frames_only(
    start: Start, tmp_path: Path, work: str, code: str, words: str, traceback: str
) -> None:
    _, client = begun(start, app(tmp_path, work))
    client.learn(ROWS)
    kind, body = client.end()
    assert (kind, body["code"]) == ("failed", code)
    assert words in body["message"]
    assert traceback in body["traceback"]
    assert "ovd/" not in body["traceback"] and str(tmp_path) not in body["traceback"]
    assert body["seconds"] >= 0


def test_a_sample_of_an_earlier_declaration_is_named(start: Start, tmp_path: Path) -> None:
    _, client = begun(start, app(tmp_path))
    client.learn([*ROWS, {"time": "2022-03-02T00:00:00Z"}])
    kind, body = client.end()
    assert kind == "failed"
    assert 'Sample 6: "flow" is missing.' in body["message"]
    assert "taken down" in body["message"]


def test_a_field_that_is_no_longer_declared_is_left_out(start: Start, tmp_path: Path) -> None:
    _, client = begun(start, app(tmp_path, 'assert set(data[0]) == {"time", "flow"}'))
    client.learn([{**row, "old": 1} for row in ROWS])
    assert client.end()[0] == "done"


def test_files_of_samples_arrive_and_are_opened_by_their_path(start: Start, tmp_path: Path) -> None:
    manifest = (
        '[learn]\n[learn.sample]\nphoto = "image"\nnote = { kind = "file", optional = true }\n[gate]\nmetric = "m"\n'
    )
    work = """from ovd import Image
assert data[1]["note"] is None
for row in data:
    assert isinstance(row["photo"], Image) and row["photo"].media_type == "image/png"
    (target / row["photo"].name).write_bytes(row["photo"].path.read_bytes())
return {}"""
    _, client = begun(start, app(tmp_path, work, manifest=manifest))
    big = bytes(3 << 20)
    client.put("f0", b"one")
    client.put("f1", big)
    rows: list[Any] = [
        {"photo": {"name": f"{place}.png", "media_type": "image/png", "size": 3, "digest": f"sha256:{place}"}}
        for place in range(2)
    ]
    rows[0]["note"] = {"name": "n", "media_type": "text/plain", "size": 3, "digest": "sha256:0"}
    client.learn(rows, files={"sha256:0": "f0", "sha256:1": "f1"})
    kind, body = client.end()
    assert kind == "done", body
    assert contents(client.fetch("model")) == {"0.png": b"one", "1.png": big}


def test_a_flood_of_lines_and_points_arrives_whole_for_who_listens(start: Start, tmp_path: Path) -> None:
    work = 'for n in range(20_000):\n    print(f"line {n} " + "x" * 50)\n    context.metric("loss", n, n)'
    process, client = begun(start, app(tmp_path, work))
    read_what_it_prints(process)
    client.learn(ROWS)
    events = client.to_the_end()
    text = "".join(event["body"]["text"] for event in events if event["kind"] == "log")
    assert text.splitlines() == [f"line {n} " + "x" * 50 for n in range(20_000)]
    assert [event["body"]["step"] for event in events if event["kind"] == "metric"] == list(range(20_000))


def test_what_is_printed_while_nobody_reads_is_bounded_and_the_latest_is_kept(start: Start, tmp_path: Path) -> None:
    done = tmp_path / "done"
    work = f"""for n in range(20_000):
    print(f"line {{n}} " + "x" * 50)
    context.progress(n / 20_000)
Path({str(done)!r}).touch()"""
    process, client = begun(start, app(tmp_path, work))
    read_what_it_prints(process)
    client.learn(ROWS)
    client.close()
    wait_until(done.exists)
    later = client_of(process)
    later.follow()
    events = later.to_the_end()
    text = "".join(event["body"]["text"] for event in events if event["kind"] == "log")
    assert 200_000 < len(text) <= 256 << 10
    assert text.splitlines()[-1].startswith("line 19999 ")
    assert sum(event["kind"] == "progress" for event in events) == 1


def test_stop_before_a_task_exits_with_0(start: Start, tmp_path: Path) -> None:
    process, _ = begun(start, app(tmp_path))
    process.tell(type="stop")
    assert process.exit_code() == 0


def test_stop_cancels_what_runs_lets_the_client_hear_it_and_exits_with_0(start: Start, tmp_path: Path) -> None:
    process, client = begun(start, app(tmp_path, "while True:\n    context.progress(0.1)\n    time.sleep(0.005)"))
    client.learn(ROWS)
    client.to_the("progress")
    process.tell(type="stop")
    assert client.end()[1]["code"] == "cancelled"
    assert process.exit_code() == 0


def test_a_lease_that_ran_out_and_a_runner_that_is_gone_end_it(start: Start, tmp_path: Path) -> None:
    folder = app(tmp_path, "while True:\n    pass")
    process, client = begun(start, folder)
    process.tell(type="lease", seconds=0.3)
    client.learn(ROWS)
    assert process.exit_code() == -signal.SIGALRM
    process, client = begun(start, folder)
    client.learn(ROWS)
    client.to_the("started")
    process.control.close()
    assert process.exit_code() == 1


@pytest.mark.parametrize(
    "nonsense",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        pack({"type": "dance", "id": "t1"}),
        pack({"type": "learn"}),
        pack({"type": "learn", "id": "t1", "train": "train"}),
        pack({"type": "execute", "id": "t1", "inputs": {}}),
        pack({"type": "follow", "id": "t1", "after": "all"}),
        pack({"type": "fetch", "id": "t1"}),
        pack({"type": "file", "id": "t1", "file": "../../etc/passwd", "last": True}, b"x"),
    ],
)
def test_nonsense_closes_that_connection_and_the_next_one_is_served(
    start: Start, tmp_path: Path, nonsense: bytes
) -> None:
    process, bad = begun(start, app(tmp_path))
    bad.sock.sendall(nonsense)
    assert bad.is_closed_by_the_process()
    client = client_of(process)
    client.learn(ROWS)
    assert client.end()[0] == "done"


@pytest.mark.parametrize(
    "more", [{"train": "other"}, {"files": {"sha256:0": "f9"}}, {"seed": "x"}, {"timeout": True}, {"files": []}]
)
def test_an_order_that_cannot_be_done_closes_the_connection(start: Start, tmp_path: Path, more: Any) -> None:
    process, client = begun(start, app(tmp_path))
    client.learn(ROWS, **more)
    assert client.is_closed_by_the_process()
    again = client_of(process)
    again.learn(ROWS)
    assert again.end()[0] == "done"


def test_another_task_is_turned_away(start: Start, tmp_path: Path) -> None:
    process, client = begun(start, app(tmp_path))
    client.learn(ROWS)
    assert client.end()[0] == "done"
    with pytest.raises((ConnectionError, AssertionError, ProtocolError)):
        client.learn(ROWS, id="t2")
        client.receive()
    back = client_of(process)
    back.follow()
    assert back.end()[0] == "done"


def test_a_checkpoint_that_is_no_tar_fails_and_says_so(start: Start, tmp_path: Path) -> None:
    _, client = begun(start, app(tmp_path))
    client.learn(ROWS, checkpoint=b"not a tar")
    kind, body = client.end()
    assert (kind, body["code"]) == ("failed", "exception")
    assert "The checkpoint cannot be used" in body["message"]


def test_a_checkpoint_is_a_folder_in_learn_only(start: Start, tmp_path: Path) -> None:
    work = "assert context.checkpoint.is_dir() and not list(context.checkpoint.iterdir())"
    _, client = begun(start, app(tmp_path, work, "context.checkpoint"))
    client.learn(ROWS)
    assert client.end()[0] == "done"
    _, client = begun(start, app(tmp_path, work, "context.checkpoint"))
    client.evaluate(ROWS)
    assert "only while an application learns" in client.end()[1]["message"]


def test_a_model_that_was_learned_can_be_unpacked_and_evaluated(start: Start, tmp_path: Path) -> None:
    folder = app(tmp_path)
    _, client = begun(start, folder)
    client.learn(ROWS)
    (tmp_path / "model.tar").write_bytes(client.fetch(client.end()[1]["file"]))
    tars.unpack(tmp_path / "model.tar", tmp_path / "model")
    _, judge = begun(start, folder, "--model", str(tmp_path / "model"))
    judge.evaluate(ROWS)
    assert judge.end()[1]["metrics"] == {"mae": 1.2}


def test_data_that_cannot_be_stored_fail_the_task_and_say_so(start: Start, tmp_path: Path) -> None:
    process, client = begun(start, app(tmp_path))
    (process.scratch / "work" / "arrived-1-0").touch()  # where its folder would be
    client.learn(ROWS)
    kind, body = client.end()
    assert (kind, body["code"]) == ("failed", "exception")
    assert "The data cannot be stored" in body["message"]
    again = client_of(process)
    again.learn(ROWS)
    again.follow()
    assert again.end()[0] == "failed"
