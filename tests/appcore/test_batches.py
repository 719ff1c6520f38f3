"""Batches: taken down with all that hangs on them; feedback and executions with consent as samples, exactly once."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

import makers
from ovd.fields import Field
from ovd_saas.appcore import batches, executions, feedback, intake, intake_executions, loose_files
from ovd_saas.appcore.batches import Sender
from ovd_saas.appcore.feedback import NoSample, NotJudgeable
from ovd_saas.appcore.intake import Delivery, NotLearning
from ovd_saas.appcore.loops.sourcing import Sourcing
from ovd_saas.domain import executions as states
from ovd_saas.files import store
from ovd_saas.store.queries import batches as queries
from ovd_saas.store.records import Application, Batch, Execution, LooseFile

pytestmark = pytest.mark.django_db
NOW = datetime.now(UTC)
LATER = NOW + 2 * loose_files.GRACE
ANA = Sender("user:1")
FIELDS = (Field("text", name="text"), Field("text", name="label", optional=True), Field("number", name="score"))


@pytest.fixture(autouse=True)
def own_store(settings: Any, tmp_path: Path) -> None:
    settings.FILES = str(tmp_path / "files")


@pytest.fixture
def application() -> Application:
    return makers.learning_application(fields=FIELDS, from_executions=True)


def finished(application: Application, text: str = "hi", **also: Any) -> Execution:
    values: dict[str, Any] = {
        "status": states.SUCCEEDED, "inputs": {"text": text, "other": 1}, "outputs": {"score": 0.5}, "consent": True,
        "finished_at": NOW,
    }  # fmt: skip
    return Execution.objects.create(
        id=executions.new_id(), application=application, seed=1, created_at=NOW, caller="user:1",
        **{**values, **also},
    )  # fmt: skip


def lines(batch: Batch) -> list[dict[str, Any]]:
    return [json.loads(line) for line in store.read(batch.digest).splitlines()]


def deliver(application: Application, *samples: Any) -> Batch:
    rules = intake.rules_of(application)
    with Delivery(rules, intake.JSON_LINES) as delivery:
        delivery.feed(b"".join(json.dumps(sample).encode() + b"\n" for sample in samples))
        delivered = delivery.finish()
    return batches.receive(
        application_id=application.pk, delivered=delivered, kind=batches.INTAKE, sender=ANA, now=NOW
    )[0]


# take down


def test_a_batch_that_is_taken_down_keeps_its_row_and_loses_its_bytes(application: Application) -> None:
    batch = deliver(application, {"text": "a", "score": 1})
    assert batches.take_down(batch=batch, by="user:ana", now=NOW) == []
    assert (batch.taken_down_at, batch.taken_down_by, queries.status(batch)) == (NOW, "user:ana", "taken_down")
    loose_files.sweep(now=LATER)
    assert not store.exists(batch.digest)
    with pytest.raises(batches.TakenDown):
        batches.content(batch)
    batches.take_down(batch=batch, by="user:bea", now=LATER)
    batch.refresh_from_db()
    assert batch.taken_down_at == NOW


def test_bytes_that_another_batch_or_an_execution_has_stay(application: Application) -> None:
    shared = store.put(b"picture")
    one = makers.batch(application, 1, digest=store.put(b"one"), files=[shared])
    makers.batch(application, 2, digest=one.digest, files=[])
    finished(application, inputs={"photo": {"name": "x", "media_type": "a/b", "size": 7, "digest": shared}})
    batches.take_down(batch=one, by="user:ana", now=NOW)
    loose_files.sweep(now=LATER)
    assert store.exists(shared) and store.exists(one.digest)


def test_the_models_that_learned_from_a_batch_are_named(application: Application) -> None:
    batch = makers.batch(application, 2)

    def model(number: int, held: list[int], data: str, parent: Any = None) -> Any:
        snapshot = makers.snapshot(
            application, last=number, digest=f"sha256:{number:064x}", rule={"data": data},
            batches=[[one, "sha256:x", 1] for one in held],
        )  # fmt: skip
        return makers.model_version(application, number, snapshot=snapshot, parent=parent, state="retired")

    model(1, [1], "all")
    second = model(2, [1, 2], "all")
    third = model(3, [3], "new", second)  # goes on from what learned it
    model(4, [1, 3], "all", third)  # learned anew, without it
    fifth = model(5, [4], "new", third)
    assert [one.number for one in batches.models_of(batch)] == [2, 3, fifth.number]


# feedback


def test_a_label_makes_a_sample_of_inputs_and_outputs(application: Application) -> None:
    execution = finished(application)
    batch, is_new = give(execution, "greeting")
    assert is_new and lines(batch) == [{"text": "hi", "label": "greeting", "score": 0.5}]
    assert (batch.kind, batch.origin) == ("feedback", {"execution": str(execution.pk)})
    execution.refresh_from_db()
    assert execution.feedback == {"label": "greeting", "batch": 1, "by": "user:ana", "at": NOW.isoformat()}
    assert give(execution, "greeting") == (batch, False)


def test_another_label_replaces_the_one_before_unless_it_was_learned(application: Application) -> None:
    execution = finished(application)
    first, second = give(execution, "a")[0], give(execution, {"label": "b", "score": 2})[0]
    first.refresh_from_db()
    assert first.taken_down_at and lines(second) == [{"text": "hi", "label": "b", "score": 2}]
    Batch.objects.filter(pk=second.pk).update(step=makers.learning_run(application))
    third, _ = give(execution, "c")
    second.refresh_from_db()
    assert second.taken_down_at is None and third.number == 3


def give(execution: Execution, label: Any) -> tuple[Batch, bool]:
    return feedback.give(execution_id=execution.pk, label=label, by="user:ana", sender=ANA, now=NOW)


@pytest.mark.parametrize(
    ("label", "message"),
    [(5, "must be a text"), ({"lable": "x"}, 'Did you mean "label"'), ("\ud800", "surrogate"), ("\0", "null character"),
     ({"score": "x"}, "must be a number"), ([], "must be a text")],
)  # fmt: skip
def test_a_label_that_makes_no_sample_says_why(application: Application, label: Any, message: str) -> None:
    with pytest.raises(NoSample) as refused:
        give(finished(application), label)
    assert message in refused.value.detail
    assert not Batch.objects.exists() and not Execution.objects.exclude(feedback=None).exists()


def test_only_what_succeeded_and_is_there_can_be_judged(application: Application) -> None:
    for status in (states.FAILED, states.RUNNING, states.REJECTED):
        with pytest.raises(NotJudgeable):
            give(finished(application, status=status), "x")
    gone = finished(application)
    executions.take_down(execution_id=gone.pk, by="user:ana", now=NOW)
    with pytest.raises(NotJudgeable):
        give(gone, "x")
    with pytest.raises(NotLearning):
        give(finished(makers.application("plain")), "x")


def test_feedback_keeps_the_files_of_the_execution_and_takes_no_others() -> None:
    fields = (Field("image", name="photo"), Field("text", name="label"))
    application = makers.learning_application("pets", fields=fields)
    png = b"\x89PNG\r\n\x1a\n" + b"\0" * 40
    photo = {"name": "a.png", "media_type": "image/png", "size": len(png), "digest": store.put(png)}
    batch, _ = give(finished(application, inputs={"photo": photo}, outputs={}), "cat")
    assert lines(batch) == [{"photo": photo, "label": "cat"}] and batch.files == [photo["digest"]]
    foreign = {**photo, "digest": store.put(png + b"secret of others")}
    with pytest.raises(NoSample, match="not sent"):
        give(finished(application, inputs={}, outputs={}), {"photo": foreign, "label": "cat"})


# from executions


def test_executions_with_consent_become_samples_once(application: Application) -> None:
    first, second = finished(application, "a"), finished(application, "b", finished_at=NOW + timedelta(seconds=1))
    finished(application, "c", consent=False)
    finished(application, "d", status=states.FAILED)
    batch = intake_executions.gather(application, now=NOW)
    assert batch is not None and batch.kind == "execution"
    assert lines(batch) == [{"text": "a", "score": 0.5}, {"text": "b", "score": 0.5}]
    assert batch.origin == {"executions": [str(first.pk), str(second.pk)]}
    assert intake_executions.gather(application, now=NOW) is None
    late = finished(application, "e", finished_at=NOW - timedelta(days=1))  # began before, ended out of order
    again = intake_executions.gather(application, now=NOW)
    assert again is not None and again.origin["executions"] == [str(late.pk)]


def test_executions_that_fill_no_sample_say_why_and_are_counted(application: Application) -> None:
    finished(application, outputs={})
    finished(application, outputs={})
    assert intake_executions.gather(application, now=NOW) is None
    assert queries.why_no_sample(application) == {'"score" is missing.': 2}
    assert queries.unsampled(application.pk, 10) == []


def test_dying_while_gathering_loses_and_doubles_nothing(application: Application) -> None:
    finished(application)

    class Died(Exception):
        pass

    with pytest.raises(Died), transaction.atomic():
        intake_executions.gather(application, now=NOW)
        raise Died
    assert not Batch.objects.exists()
    batch = intake_executions.gather(application, now=NOW)
    assert batch is not None and batch.number == 1 and batch.samples == 1


def test_the_loop_gathers_only_where_the_manifest_says_so(application: Application) -> None:
    finished(application)
    finished(makers.learning_application("other", fields=FIELDS), "x")
    Sourcing().tick()
    assert [batch.application_id for batch in Batch.objects.all()] == [application.pk]


# an execution that is taken down


def test_the_samples_of_an_execution_go_with_it(application: Application) -> None:
    execution = finished(application)
    given, _ = give(execution, "secret")
    executions.take_down(execution_id=execution.pk, by="user:ana", now=NOW)
    execution.refresh_from_db()
    given.refresh_from_db()
    assert given.taken_down_at and execution.feedback is None
    loose_files.sweep(now=LATER)
    assert not store.exists(given.digest)


@pytest.mark.parametrize("was_learned", [False, True])
def test_a_batch_of_several_executions_is_replaced_by_one_of_the_others(
    application: Application, was_learned: bool
) -> None:
    rows = [finished(application, text, finished_at=NOW + timedelta(seconds=n)) for n, text in enumerate("abc")]
    gathered = intake_executions.gather(application, now=NOW)
    assert gathered is not None
    step = makers.learning_run(application) if was_learned else None
    Batch.objects.update(step=step)
    Application.objects.update(status="retired")  # whatever became of it
    for gone, left in ((1, ["a", "c"]), (0, ["c"]), (2, [])):
        executions.take_down(execution_id=rows[gone].pk, by="user:ana", now=NOW)
        alive = Batch.objects.filter(taken_down_at=None)
        assert [line["text"] for batch in alive for line in lines(batch)] == left
        assert all(batch.step == step and batch.origin["instead_of"] for batch in alive)
    assert list(Batch.objects.order_by("number").values_list("number", flat=True)) == [1, 2, 3]
    loose_files.sweep(now=LATER)
    assert not any(store.exists(digest) for digest in Batch.objects.values_list("digest", flat=True))
    assert not LooseFile.objects.exists()


def test_an_execution_whose_batch_was_taken_down_can_be_taken_down(application: Application) -> None:
    rows = [finished(application, text) for text in "ab"]
    batch = intake_executions.gather(application, now=NOW)
    assert batch is not None
    batches.take_down(batch=batch, by="user:ana", now=NOW)
    executions.take_down(execution_id=rows[0].pk, by="user:ana", now=NOW)
    assert Batch.objects.count() == 1
