"""`ovd feed` and the client against the whole web server: gateway and API, over real sockets."""

import io
import json
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.asgi import get_asgi_application
from django.utils import timezone

import makers
from gateway.stage import Stage, until
from ovd import cli
from ovd.cli import feeding
from ovd.client import Client, Conflict, InvalidInput, OvdError
from ovd.fields import Field
from ovd_saas.appcore import executions
from ovd_saas.store.records import Application, Batch, Execution, TriggerEvaluation
from sdk.command_line import Ovd, Said

GOOD = [{"flow": 1.5, "at": "2022-03-01T00:00:00Z"}, {"flow": 2, "at": "2022-03-01T01:00:00Z"}]
LINES = "".join(json.dumps(sample) + "\n" for sample in GOOD)
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40


@pytest.fixture
def web(stage: Stage) -> Stage:
    stage.serving.gateway._django = get_asgi_application()
    return stage


@pytest.fixture
def client(web: Stage) -> Iterator[Client]:
    with Client(web.serving.url, web.token, patience=2) as client:
        yield client


@pytest.fixture
def ovd(web: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ovd:
    monkeypatch.setenv("OVD_URL", web.serving.url)
    monkeypatch.setenv("OVD_TOKEN", web.token)

    def run(*arguments: str) -> Said:
        with pytest.raises(SystemExit) as ended:
            cli.main(list(arguments))
        out, err = capsys.readouterr()
        return Said(int(ended.value.code or 0), out, err)

    return run


@pytest.fixture
def flow() -> Application:
    return makers.learning_application()


def test_the_client_feeds_lists_files_and_bytes(web: Stage, client: Client, flow: Application, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    first = client.feed("acme/flow", GOOD, on_progress=lambda sent, total: seen.append((sent, total)))
    assert (first.number, first.samples, first.is_new, first.status) == (1, 2, True, "pending")
    assert seen[-1][0] == seen[-1][1] == first.size
    assert client.feed("acme/flow", LINES.encode()).is_new is False
    (tmp_path / "a.csv").write_text("flow,at\n7,2022-03-01\n")
    assert client.feed("acme/flow", tmp_path / "a.csv").number == 2
    file = io.BytesIO(b'{"flow": 9, "at": "2022-03-01"}')
    assert client.feed("acme/flow", file, key="k").number == 3 and not file.closed
    assert [batch.number for batch in client.batches("acme/flow")] == [3, 2, 1]
    path = client.download_batch("acme/flow", 1, tmp_path)
    assert [json.loads(line) for line in path.read_text().splitlines()] == GOOD
    assert client.take_down("acme/flow", 1) == []
    assert client.batch("acme/flow", 1).status == "taken_down"
    with pytest.raises(OvdError, match="gone for good"):
        client.download_batch("acme/flow", 1, tmp_path)


def test_the_client_names_every_error(web: Stage, client: Client, flow: Application) -> None:
    with pytest.raises(InvalidInput) as refused:
        client.feed("acme/flow", [*GOOD, {"flow": -1}])
    assert {error.field for error in refused.value.errors} == {"line 3: flow", "line 3: at"}
    with pytest.raises(OvdError, match="JSON"):
        client.feed("acme/flow", [{"flow": float("nan")}])
    with pytest.raises(OvdError, match="ends with one of"):
        client.feed("acme/flow", "notes.txt")


def test_a_refusal_reaches_a_client_that_is_still_sending(web: Stage, client: Client) -> None:
    makers.application("plain")
    with pytest.raises(Conflict, match="does not learn"):
        client.feed("acme/plain", LINES.encode() * 500_000)


def test_feedback_becomes_a_batch(web: Stage, client: Client) -> None:
    application = makers.learning_application(fields=(Field("text", name="text"), Field("text", name="label")))
    now = timezone.now()
    execution = Execution.objects.create(
        id=executions.new_id(), application=application, status="succeeded", inputs={"text": "hi"}, outputs={}, seed=1,
        created_at=now, finished_at=now, caller="user:1",
    )  # fmt: skip
    batch = client.feedback(str(execution.pk), "greeting")
    assert (batch.number, batch.samples, batch.is_new) == (1, 1, True)
    assert client.feedback(str(execution.pk), "greeting").is_new is False
    with pytest.raises(InvalidInput, match="text"):
        client.feedback(str(execution.pk), 5)


def test_files_are_fed_from_the_command_line(ovd: Ovd, flow: Application, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(LINES)
    (tmp_path / "b.csv").write_text("flow,at\n7,2022-03-01\n")
    said = ovd("feed", "acme/flow", str(tmp_path / "a.jsonl"), str(tmp_path / "b.csv"))
    assert said.code == 0, said.err
    assert said.out == "Batch 1: 2 samples, 86 bytes, from a.jsonl.\nBatch 2: 1 sample, 29 bytes, from b.csv.\n"
    said = ovd("feed", "acme/flow", str(tmp_path))
    assert said.out.count("had it already") == 2
    (tmp_path / "c.jsonl").write_text('{"flow": "x"}')
    said = ovd("feed", "acme/flow", str(tmp_path / "c.jsonl"))
    assert said.code == 1 and "line 1: flow: must be a number" in said.err
    assert "no file" in ovd("feed", "acme/flow", "nowhere.csv").err


def test_standard_input_is_fed(ovd: Ovd, flow: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(LINES.encode())))
    assert ovd("feed", "acme/flow", "-", "--key", "k").out.startswith("Batch 1: 2 samples")
    assert Batch.objects.get().idempotency_key == "k"


def test_a_folder_of_pictures_gives_its_folders_names_as_labels(ovd: Ovd, tmp_path: Path) -> None:
    fields = (Field("image", name="photo"), Field("choice", name="label", choices=("cat", "dog")))
    application = makers.learning_application("pets", fields=fields)
    release = application.release
    assert release is not None
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").write_bytes(PNG + name.encode())
    (tmp_path / "cat" / ".hidden.png").write_bytes(b"x")
    said = ovd("feed", "acme/pets", str(tmp_path))
    assert said.code == 0, said.err
    assert Batch.objects.get().samples == 2 and len(Batch.objects.get().files) == 2
    (tmp_path / "cow").mkdir()
    (tmp_path / "cow" / "1.png").write_bytes(PNG)
    assert "cow is no label" in ovd("feed", "acme/pets", str(tmp_path)).err


def test_many_pictures_are_several_batches(
    web: Stage, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeding, "MOST_FILES", 3)
    makers.learning_application("pets", fields=(Field("image", name="photo"), Field("text", name="label")))
    (tmp_path / "cat").mkdir()
    for number in range(7):
        (tmp_path / "cat" / f"{number}.png").write_bytes(PNG + bytes([number]))
    feeding.folder(client, "acme/pets", tmp_path)
    assert list(Batch.objects.order_by("number").values_list("samples", flat=True)) == [3, 3, 1]


def test_watching_a_folder_feeds_each_file_once_when_it_is_complete(
    web: Stage, client: Client, flow: Application, tmp_path: Path
) -> None:
    (tmp_path / "a.jsonl").write_text(LINES)
    (tmp_path / "b.jsonl.part").write_text(LINES)
    watching = threading.Thread(target=feeding.watch_folder, args=(client, "acme/flow", tmp_path), daemon=True)
    watching.start()
    until(lambda: Batch.objects.count() == 1)
    (tmp_path / "c.csv").write_text("flow,at\n7,2022-03-01\n")
    (tmp_path / "bad.csv").write_text("flow,at\nx,2022-03-01\n")
    until(lambda: Batch.objects.count() == 2)
    count = web_requests(web)
    time.sleep(3 * feeding.PAUSE)
    assert web_requests(web) == count and Batch.objects.count() == 2


def web_requests(web: Stage) -> Any:
    return Batch.objects.values_list("number", "created_at").order_by("number").last()


def test_watching_a_file_tells_what_the_trigger_says(ovd: Ovd, flow: Application, tmp_path: Path) -> None:
    TriggerEvaluation.objects.create(
        application=flow, kind="data", decision="skipped", reason="Skipped: only 2 of 100 samples.",
        at=timezone.now() + timedelta(seconds=60),
    )  # fmt: skip
    (tmp_path / "a.jsonl").write_text(LINES)
    said = ovd("feed", "acme/flow", str(tmp_path / "a.jsonl"), "--watch")
    assert said.code == 0
    assert "only 2 of 100 samples" in said.out and "Batch 1 is pending" in said.out


def test_watching_a_file_tells_how_its_learning_run_ended(ovd: Ovd, flow: Application, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(LINES)
    ovd("feed", "acme/flow", str(tmp_path / "a.jsonl"))
    run = makers.learning_run(flow, status="rejected", gate={"sentence": "mae 3 is not lower than 2."})
    Batch.objects.update(step=run)
    said = ovd("feed", "acme/flow", str(tmp_path / "a.jsonl"), "--watch")
    assert said.code == 3
    assert "mae 3 is not lower than 2." in said.out
