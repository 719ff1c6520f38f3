"""What a process sends is judged: forged, malformed, huge and endless frames harm nobody but their own execution."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from gateway.forging import Forger, forged, open_files
from gateway.stage import Stage, row, until
from ovd.protocol import pack
from ovd_saas.files import store as files
from ovd_saas.store.records import Execution, ExecutionEvent, Process

PHOTO = {"photo": "data:image/png;base64,iVBORw0KGgo="}
Answer = Callable[[Forger, str], None]  # what to say about the execution of this id


def on_execute(answer: Answer) -> Callable[[Forger, dict[str, Any]], None]:
    def heard(forger: Forger, header: dict[str, Any]) -> None:
        if header["type"] == "execute":
            answer(forger, header["id"])

    return heard


def play(stage: Stage, name: str, answer: Answer, **execute: Any) -> None:
    played = forged(stage, stage.application(name, **execute), on_execute(answer))
    until(lambda: stage.knows(played))


def neighbour_answers(stage: Stage) -> None:
    answer = stage.post("reader", {})
    assert answer.json()["status"] == "succeeded", answer.text


@pytest.fixture
def beside(stage: Stage) -> Stage:
    """With an awake neighbour."""
    stage.process(stage.application("reader"))
    return stage


def done(forger: Forger, id_: str, outputs: Any = None, **more: Any) -> None:
    forger.say(type="result", id=id_, outputs={"result": "x"} if outputs is None else outputs, seconds=0.1, **more)


FORGED_OUTPUTS: dict[str, tuple[Any, str]] = {
    "a list": ([], "not an object"),
    "a text": ("x", "not an object"),
    "another name": ({"surprise": 1}, "surprise"),
    "nothing": ({}, "result"),
    "another type": ({"result": 5}, "not a text"),
    "an object": ({"result": {"name": "x", "media_type": "text/plain", "size": 1, "digest": "sha256:" + "0" * 64}}, ""),
    "null": ({"result": None}, "null"),
    "a null character": ({"result": "a\0b"}, "null character"),
    "one too many": ({"result": "x", "more": "y"}, "more"),
    "deep": ({"result": "x", "more": [[[]]] * 3}, "more"),
}


@pytest.mark.parametrize("forgery", FORGED_OUTPUTS)
def test_outputs_that_the_release_does_not_declare_so_are_a_failure_in_words(stage: Stage, forgery: str) -> None:
    outputs, says = FORGED_OUTPUTS[forgery]
    play(stage, "echo", lambda forger, id_: done(forger, id_, outputs))
    answer = stage.post("echo", {"message": "hello"})
    assert (answer.json()["status"], answer.json()["error"]["code"]) == ("failed", "output"), answer.text
    assert says in answer.json()["error"]["message"]


def test_an_output_that_names_the_file_of_somebody_else_is_refused_and_the_bytes_stay_private(stage: Stage) -> None:
    digest = files.put(b"a secret of another organisation")
    stolen = {"name": "s.txt", "media_type": "text/plain", "size": 32, "digest": digest}
    forgeries = iter([
        {"copy": stolen, "width": 1, "height": 1},
        {"copy": {"file": "f0", **stolen}, "width": 1, "height": 1},
        {"copy": {"file": "f0", "name": "x.png", "media_type": "image/png", "size": 1}, "width": stolen, "height": 1},
    ])  # fmt: skip

    def answer(forger: Forger, id_: str) -> None:
        forger.say(type="output", id=id_, name="copy", value=stolen)
        forger.say(type="output", id=id_, name="width", value=[stolen])
        done(forger, id_, next(forgeries))

    play(stage, "image-size", answer)
    for _ in range(3):
        answered = stage.post("image-size", PHOTO)
        assert answered.json()["status"] == "failed", answered.text
        with stage.client() as client:
            found = client.get(f"{answered.headers['location']}/files/{digest}")
        assert found.status_code in (404, 418)  # 418: there is no Django on this stage
        assert digest not in str([event.body for event in ExecutionEvent.objects.all()])
        assert digest not in str(row(answered).outputs)


WORDS: dict[str, dict[str, Any]] = {
    "an object as message": {"type": "failed", "message": {"a": 1}, "code": ["x"], "traceback": 7, "seconds": "long"},
    "a code of ours": {"type": "failed", "message": "m", "code": "lost", "seconds": -5},
    "a huge message": {"type": "failed", "message": "m" * 2_000_000, "traceback": "t" * 2_000_000, "code": "x" * 100},
    "characters that are none": {"type": "failed", "message": "a\0b", "code": "exception", "seconds": 1e308},
    "a politeness without words": {"type": "rejected", "message": None, "seconds": True},
    "a huge politeness": {"type": "rejected", "message": "m" * 2_000_000},
}


@pytest.mark.parametrize("words", WORDS)
def test_what_it_says_of_its_failure_is_bounded_and_stored(stage: Stage, words: str) -> None:
    play(stage, "echo", lambda forger, id_: forger.say(id=id_, **WORDS[words]))
    answer = stage.post("echo", {"message": "hello"})
    assert answer.json()["status"] == WORDS[words]["type"], answer.text
    error = row(answer).error
    assert error["code"] in ("exception", "rejected")
    assert 0 < len(error["message"]) <= 10_000 and len(error.get("traceback", "")) <= 64 << 10
    assert row(answer).seconds is None or row(answer).seconds >= 0


@pytest.mark.parametrize(
    "junk",
    [
        b"\xff" * 64,
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x00\x00\x00\x02\x00\x00\x00\x00[]",
        b"\x00\x00\x00\x0a\x00\x00\x00\x00" + b"[" * 10,
    ],
    ids=["no length", "http", "a list", "cut"],
)
def test_what_is_no_frame_ends_its_process_and_fails_in_words_when_attempts_are_used_up(
    beside: Stage, junk: bytes
) -> None:
    application = beside.application("echo", max_attempts=1)
    played = forged(beside, application, on_execute(lambda forger, _: forger.raw(junk)))
    until(lambda: beside.knows(played))
    answer = beside.post("echo", {"message": "hello"})
    assert (answer.json()["status"], answer.json()["error"]["code"]) == ("failed", "lost"), answer.text
    assert "not a frame" in answer.json()["error"]["message"]
    assert until(lambda: Process.objects.get(pk=played.row.pk).condemned)
    neighbour_answers(beside)


@pytest.mark.parametrize(
    "outputs",
    [b"[" * 10_000 + b"]" * 10_000, b'{"result": 1e999}', b'{"result": NaN}', rb'{"result": "\ud800"}', b"9" * 10_000],
    ids=["deep", "beyond all numbers", "not a number", "half a character", "endless digits"],
)
def test_a_result_that_is_not_json_is_no_frame(beside: Stage, outputs: bytes) -> None:
    def answer(forger: Forger, id_: str) -> None:
        forger.frame(b'{"type":"result","id":"%s","outputs":%s}' % (id_.encode(), outputs))

    play(beside, "echo", answer, max_attempts=1)
    answered = beside.post("echo", {"message": "hello"})
    assert answered.json()["error"]["code"] == "lost", answered.text
    assert "not a frame" in answered.json()["error"]["message"]
    neighbour_answers(beside)


STRANGE: dict[str, dict[str, Any]] = {
    "id": {"type": "result", "id": ["x"], "outputs": {}},
    "no id": {"type": "result", "id": None},
    "fraction": {"type": "progress", "fraction": 1e300, "message": ["x"]},
    "message": {"type": "progress", "fraction": "half", "message": "m" * 1_000_000},
    "log": {"type": "log", "text": {"a": 1}, "stream": 5},
    "stream": {"type": "log", "text": "text", "stream": "s" * 100_000},
    "output": {"type": "output", "name": ["x"], "value": 2**70},
    "undeclared": {"type": "output", "name": "surprise", "value": 1},
    "file": {"type": "file", "file": {"a": 1}, "last": "yes"},
    "unknown": {"type": "of another version"},
}


@pytest.mark.parametrize("frame", STRANGE)
def test_a_frame_of_strange_types_is_passed_over_and_the_execution_goes_on(stage: Stage, frame: str) -> None:
    def answer(forger: Forger, id_: str) -> None:
        forger.say(**{"id": id_, **STRANGE[frame]})
        time.sleep(0.3)  # longer than what is told is kept back
        done(forger, id_)

    play(stage, "echo", answer)
    answered = stage.post("echo", {"message": "hello"})
    assert answered.json()["status"] == "succeeded", answered.text
    for event in ExecutionEvent.objects.all():
        assert len(str(event.body)) < 5_000


def test_results_for_executions_that_are_not_its_own_change_nothing(stage: Stage) -> None:
    """It knows the id of an execution that runs in a process of somebody else."""
    victim = stage.application("slow")
    stage.process(victim)

    def answer(forger: Forger, id_: str) -> None:
        other = until(lambda: Execution.objects.filter(application=victim, status="running").first())
        for lease in range(3):
            done(forger, f"{other.pk}.{lease}", {"steps": 666, "seed": 0})
        done(forger, id_)

    play(stage, "echo", answer)
    begun = threading.Thread(target=stage.post, args=("slow", {"seconds": 1.0, "steps": 4}))
    begun.start()
    assert stage.post("echo", {"message": "hello"}).json()["status"] == "succeeded"
    begun.join()
    assert Execution.objects.get(application=victim).outputs["steps"] == 4


def test_two_results_are_one_and_the_first_counts(stage: Stage) -> None:
    def answer(forger: Forger, id_: str) -> None:
        forger.say(b"first", type="file", id=id_, file="f0", last=True)
        copy = {"file": "f0", "name": "c.png", "media_type": "image/png", "size": 5}
        for width in (1, 2, 3):
            done(forger, id_, {"copy": copy, "width": width, "height": 1})

    play(stage, "image-size", answer)
    for _ in range(2):
        answered = stage.post("image-size", PHOTO)
        assert answered.json()["status"] == "succeeded", answered.text
        assert answered.json()["outputs"]["width"] == 1


def test_an_answer_before_it_was_asked_does_not_break_the_seat(stage: Stage) -> None:
    """The result comes while the input files are still on their way."""

    def heard(forger: Forger, header: dict[str, Any]) -> None:
        if header["type"] == "file":
            done(forger, header["id"], {"copy": None, "width": 1, "height": 1})

    played = forged(stage, stage.application("image-size"), heard)
    until(lambda: stage.knows(played))
    for _ in range(3):
        answered = stage.post("image-size", PHOTO)
        assert answered.json()["status"] == "failed", answered.text


def test_saying_started_again_and_again_does_not_prolong_the_time_limit(stage: Stage) -> None:
    def answer(forger: Forger, id_: str) -> None:
        until_ = time.monotonic() + 8
        while time.monotonic() < until_:
            forger.say(type="started", id=id_)
            time.sleep(0.2)

    play(stage, "echo", answer, timeout=1)
    began = time.monotonic()
    answered = stage.post("echo", {"message": "hello"})
    assert answered.json()["error"]["code"] == "timeout", answered.text
    assert time.monotonic() - began < 5


def test_who_refuses_everything_for_ever_uses_up_the_attempts(stage: Stage) -> None:
    play(stage, "echo", lambda forger, id_: forger.say(type="refused", id=id_, reason="r" * 1_000_000), max_attempts=2)
    answered = stage.post("echo", {"message": "hello"})
    assert (answered.json()["status"], answered.json()["error"]["code"]) == ("failed", "lost"), answered.text
    assert len(answered.json()["error"]["message"]) < 2_000


def test_ten_thousand_files_leave_no_descriptor_and_no_byte(stage: Stage) -> None:
    before = open_files()
    most = 0

    def answer(forger: Forger, id_: str) -> None:
        nonlocal most
        for number in range(10_000):
            forger.say(b"x", type="file", id=id_, file=f"f{number}", last=number % 2 == 0)
            most = max(most, open_files()) if number % 100 == 0 else most
        copy = {"file": "f0", "name": "c.png", "media_type": "image/png", "size": 1}
        done(forger, id_, {"copy": copy, "width": 1, "height": 1})

    play(stage, "image-size", answer)
    answered = stage.post("image-size", PHOTO)
    assert answered.json()["error"]["code"] == "output", answered.text
    assert "files" in answered.json()["error"]["message"]
    assert most < before + 200
    until(lambda: open_files() < before + 50)


def test_files_beyond_the_disk_limit_are_a_failure_in_words(stage: Stage) -> None:
    def answer(forger: Forger, id_: str) -> None:
        for number in range(40):
            forger.say(bytes(1 << 20), type="file", id=id_, file="f0", last=number == 39)
        copy = {"file": "f0", "name": "c.png", "media_type": "image/png", "size": 40 << 20}
        done(forger, id_, {"copy": copy, "width": 1, "height": 1})

    application = stage.application("image-size")
    assert application.release is not None
    application.release.manifest["resources"] = {"disk_mb": 16}
    application.release.save()
    played = forged(stage, application, on_execute(answer))
    until(lambda: stage.knows(played))
    answered = stage.post("image-size", PHOTO)
    assert answered.json()["error"]["code"] == "output", answered.text
    assert "limit of 16 MB" in answered.json()["error"]["message"]


def test_a_file_without_an_end_is_a_file_that_did_not_come(stage: Stage) -> None:
    def answer(forger: Forger, id_: str) -> None:
        forger.say(b"x", type="file", id=id_, file="f0", last=False)
        copy = {"file": "f0", "name": "c.png", "media_type": "image/png", "size": 1}
        done(forger, id_, {"copy": copy, "width": 1, "height": 1})
        while forger.sent < 64 << 20:  # and goes on after its answer
            forger.say(bytes(1 << 20), type="file", id=id_, file="f0", last=False)

    play(stage, "image-size", answer)
    answered = stage.post("image-size", PHOTO)
    assert answered.json()["error"]["code"] == "output", answered.text
    assert "did not send" in answered.json()["error"]["message"]


FLOODS: dict[str, Callable[[str], dict[str, Any]]] = {
    "progress": lambda id_: {"type": "progress", "id": id_, "fraction": 0.5, "message": "m" * 1000},
    "both streams": lambda id_: {"type": "log", "id": id_, "stream": "stderr", "text": "x\n"},
    "empty lines": lambda id_: {"type": "log", "id": id_, "stream": "stderr", "text": ""},
    "nobody's": lambda _: {"type": "log", "id": "nobody", "text": "x" * 1000},
    "outputs": lambda id_: {"type": "output", "id": id_, "name": "result", "value": "x" * 100_000},
}


@pytest.mark.timeout(90)
@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_of_frames_slows_its_sender_and_not_the_neighbours(beside: Stage, flood: str) -> None:
    """Two seconds of frames as fast as they are taken; the neighbour is answered again and again meanwhile, where
    otherwise it would wait for their end."""
    is_over = threading.Event()

    def answer(forger: Forger, id_: str) -> None:
        until_ = time.monotonic() + 2
        other = {"type": "log", "id": id_, "stream": "stdout", "text": "y\n"}
        frames = (pack(FLOODS[flood](id_)) + pack(other)) * 50
        while time.monotonic() < until_:
            forger.raw(frames)
        done(forger, id_)
        is_over.set()

    play(beside, "echo", answer)
    flooding = threading.Thread(target=beside.post, args=("echo", {"message": "hello"}))
    flooding.start()
    answers = 0
    with beside.client() as client:
        while not is_over.is_set():
            assert client.post("/api/v1/applications/acme/reader/executions", json={"inputs": {}}).is_success
            answers += 1
    flooding.join()
    assert answers >= 5
    assert ExecutionEvent.objects.count() < 5_000
    found = Execution.objects.get(application__name="echo")
    assert found.status == "succeeded" and len(found.log) < 300_000


@pytest.mark.timeout(90)
def test_who_floods_while_nobody_asked_anything_is_ended(beside: Stage) -> None:
    is_over = threading.Event()
    frames = pack({"type": "log", "id": "nobody", "text": "x"}) * 5_000

    def heard(forger: Forger, header: dict[str, Any]) -> None:
        until_ = time.monotonic() + 40
        while time.monotonic() < until_ and not is_over.is_set():
            forger.raw(frames)

    played = forged(beside, beside.application("echo"), heard)
    assert until(lambda: Process.objects.get(pk=played.row.pk).condemned, 40)
    is_over.set()
    neighbour_answers(beside)


def test_who_hangs_up_on_every_call_is_not_called_without_a_pause(beside: Stage) -> None:
    calls = 0

    def heard(forger: Forger, header: dict[str, Any]) -> None:
        nonlocal calls
        calls += 1
        forger.sock.close()

    forged(beside, beside.application("echo"), heard)
    until(lambda: calls)
    before = calls
    time.sleep(2)  # the length over which calls are counted
    assert calls - before < 10
    neighbour_answers(beside)
