"""Intake, the check: whose files a sample may name."""

import io
import json

import pytest
from django.utils import timezone

import makers
from ovd_saas.appcore import feedback, intake
from ovd_saas.appcore.batches import Sender
from ovd_saas.files import store
from ovd_saas.store.records import Execution


@pytest.mark.django_db
@pytest.mark.parametrize("of", ["foreign", ["a"], 7])
def test_where_any_object_is_a_sample_nothing_in_it_names_a_file(of: object) -> None:
    digest = store.put(b"somebody else's") if of == "foreign" else of
    rules = intake.rules_of(makers.learning_application(fields=()))
    with intake.Delivery(rules, intake.JSON) as delivery:
        delivery.take_file(io.BytesIO(json.dumps([{"of": {"digest": digest}}]).encode()), "sha256:0")
        assert delivery.finish().files == []


@pytest.mark.django_db
def test_a_label_names_no_file_that_the_execution_has_not() -> None:
    application = makers.learning_application(fields=())
    foreign = {"name": "a", "media_type": "text/plain", "size": 15, "digest": store.put(b"somebody else's")}
    own = {"name": "b", "media_type": "text/plain", "size": 4, "digest": store.put(b"ours")}
    now = timezone.now()
    execution = Execution.objects.create(
        id="01900000-0000-7000-8000-000000000000", application=application, release=application.release,
        status="succeeded", inputs={"photo": own}, outputs={}, created_at=now, finished_at=now, seed=1,
    )  # fmt: skip
    batch, _ = feedback.give(
        execution_id=execution.pk, label={"of": foreign}, by="user:ana", sender=Sender("user:1"), now=now
    )
    assert batch.files == [own["digest"]]
