"""Consent: only who says so lets the application learn from an execution; JSON or form, warm or queued."""

from typing import Any

import pytest

from gateway.stage import Stage, path, row


@pytest.mark.parametrize(("given", "is_kept"), [({"consent": True}, True), ({"consent": False}, False), ({}, False)])
@pytest.mark.parametrize("is_warm", [True, False])
def test_consent_in_json_is_kept(stage: Stage, given: Any, is_kept: bool, is_warm: bool) -> None:
    application = stage.application("echo")
    if is_warm:
        stage.process(application)
        answer = stage.post("echo", {"message": "hi"}, given)
    else:
        answer = stage.post("echo", {"message": "hi"}, given, Prefer="respond-async")
    assert answer.status_code in (201, 202), answer.text
    assert row(answer).consent is is_kept


@pytest.mark.parametrize(("given", "is_kept"), [("true", True), ("on", True), ("false", False), ("", False)])
def test_consent_in_a_form_is_kept(stage: Stage, given: str, is_kept: bool) -> None:
    stage.process(stage.application("echo"))
    with stage.client() as client:
        files = {"inputs": (None, '{"message": "form"}'), "consent": (None, given)}
        answer = client.post(path("echo"), files=files)
    assert answer.status_code == 201, answer.text
    assert row(answer).consent is is_kept


@pytest.mark.parametrize("given", ["yes", 1, [], None])
def test_consent_is_true_or_false(stage: Stage, given: Any) -> None:
    stage.process(stage.application("echo"))
    answer = stage.post("echo", {"message": "hi"}, {"consent": given})
    if given is None:
        assert answer.status_code == 201
    else:
        assert answer.status_code == 422 and answer.json()["errors"][0]["field"] == "consent"


def test_the_same_key_with_another_consent_is_another_request(stage: Stage) -> None:
    stage.process(stage.application("echo"))
    assert stage.post("echo", {"message": "hi"}, Idempotency_Key="k").status_code == 201
    answer = stage.post("echo", {"message": "hi"}, {"consent": True}, Idempotency_Key="k")
    assert answer.json()["code"] == "idempotency_key_reused"
