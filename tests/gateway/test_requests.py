"""Wrong requests: each is refused before anything wakes, says what is wrong with which field, and leaves nothing."""

from typing import Any

import httpx
import pytest
from django.utils import timezone

import makers
from gateway.stage import Stage, path, row, until
from ovd_saas.appcore import access
from ovd_saas.store.records import Execution, Membership, Token, User


def errors(answer: httpx.Response) -> dict[str, str]:
    assert answer.headers["Content-Type"] == "application/problem+json"
    said = answer.json()
    assert said["status"] == answer.status_code and said["code"] and said["title"] and said["detail"]
    return {error["field"]: error["message"] for error in said["errors"]}


def raw(stage: Stage, content: bytes, content_type: str = "application/json", name: str = "echo") -> httpx.Response:
    with stage.client(**{"Content-Type": content_type}) as client:
        return client.post(path(name), content=content)


def test_all_wrong_inputs_are_named_at_once_and_nothing_is_stored(stage: Stage) -> None:
    stage.application("echo")
    answer = stage.post("echo", {"times": 99, "tiems": 1})
    assert answer.status_code == 422
    found = errors(answer)
    assert set(found) == {"message", "times", "tiems"}
    assert "missing" in found["message"] and "10" in found["times"] and "times" in found["tiems"]
    assert not Execution.objects.exists()


@pytest.mark.parametrize(
    ("inputs", "field"),
    [
        ({"message": 5}, "message"),
        ({"message": None}, "message"),
        ({"message": "x", "times": "2"}, "times"),
        ({"message": "x", "times": True}, "times"),
        ({"message": "x", "times": 1.5}, "times"),
        ({"message": "x", "times": 0}, "times"),
        ({"message": "x", "times": 10**30}, "times"),
        ({"message": "a\x00b"}, "message"),
        ({"message": "x" * 100_001}, "message"),
        ([], ""),
        ("text", ""),
        (None, ""),
    ],
)
def test_a_wrong_input_is_refused(stage: Stage, inputs: Any, field: str) -> None:
    stage.application("echo")
    answer = stage.post("echo", inputs)
    assert answer.status_code == 422
    assert list(errors(answer)) == [field]


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"sed": 1}, "sed"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**53}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"seed": "1"}, "seed"),
        ({"seed": True}, "seed"),
        ({"deadline": "tomorrow"}, "deadline"),
        ({"deadline": "2020-01-01T00:00:00Z"}, "deadline"),
        ({"deadline": 0}, "deadline"),
        ({"deadline": 1e300}, "deadline"),
        ({"deadline": [1]}, "deadline"),
    ],
)
def test_a_wrong_field_of_the_request_is_refused(stage: Stage, more: Any, field: str) -> None:
    stage.application("echo")
    answer = stage.post("echo", {"message": "x"}, more)
    assert answer.status_code == 422
    assert list(errors(answer)) == [field]


def test_a_request_without_inputs_says_so(stage: Stage) -> None:
    stage.application("echo")
    assert list(errors(raw(stage, b"{}"))) == ["inputs"]


@pytest.mark.parametrize("content", [b"", b"{", b"inputs", b'{"inputs": NaN}', b"\xff\xfe", b'{"inputs": "\\ud800"}'])
def test_what_is_not_json_is_400(stage: Stage, content: bytes) -> None:
    stage.application("echo")
    answer = raw(stage, content)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


def test_another_media_type_is_415(stage: Stage) -> None:
    stage.application("echo")
    assert raw(stage, b"a=1", "application/x-www-form-urlencoded").status_code == 415


def test_a_json_body_beyond_the_limit_is_413(stage: Stage) -> None:
    stage.application("echo")
    answer = raw(stage, b'{"inputs": {"message": "' + b"x" * (33 << 20) + b'"}}')
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize("prefer", ["wait=soon", "wait=-1", "wait=1.5", "wait"])
def test_a_wait_that_is_no_number_is_400(stage: Stage, prefer: str) -> None:
    stage.application("echo")
    answer = stage.post("echo", {"message": "x"}, Prefer=prefer)
    assert answer.status_code == 400
    assert "Prefer" in answer.json()["detail"]


def test_a_wait_beyond_the_longest_is_shortened_and_says_so(stage: Stage) -> None:
    stage.process(stage.application("echo"))
    assert stage.post("echo", {"message": "x"}, Prefer="wait=9999").headers["Preference-Applied"] == "wait=300"


@pytest.mark.parametrize("key", ["", "k" * 256])
def test_an_idempotency_key_has_1_to_255_characters(stage: Stage, key: str) -> None:
    stage.application("echo")
    answer = stage.post("echo", {"message": "x"}, Idempotency_Key=key)
    assert (answer.status_code, list(errors(answer))) == (422, ["Idempotency-Key"])


def test_nobody_is_401_and_is_told_how_to_call(stage: Stage) -> None:
    stage.application("echo")
    answer = httpx.post(stage.serving.url + path("echo"), json={"inputs": {"message": "x"}})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert "Authorization: Bearer" in answer.json()["detail"]


@pytest.mark.parametrize("authorization", ["Bearer ovd_wrong", "Bearer", "Basic YTpi", "Bearer \xe4"])
def test_a_wrong_token_is_401(stage: Stage, authorization: str) -> None:
    stage.application("echo")
    headers = {b"Authorization": authorization.encode("latin-1")}
    answer = httpx.post(stage.serving.url + path("echo"), json={"inputs": {}}, headers=headers)
    assert answer.status_code == 401


def test_a_revoked_token_opens_nothing_any_more(stage: Stage) -> None:
    stage.process(stage.application("echo"))
    assert stage.post("echo", {"message": "x"}).status_code == 201
    access.revoke(Token.objects.get(), timezone.now())
    until(lambda: stage.post("echo", {"message": "x"}).status_code == 401)


def test_an_application_of_others_is_404_like_one_that_does_not_exist(stage: Stage) -> None:
    makers.application("secret", slug="others")
    with stage.client() as client:
        foreign = client.post(path("secret", "others"), json={"inputs": {}})
        unknown = client.post(path("nothing", "others"), json={"inputs": {}})
    assert (foreign.status_code, unknown.status_code) == (404, 404)
    assert foreign.json()["code"] == unknown.json()["code"] == "not_found"


def test_a_draft_answers_409_and_says_what_to_do(stage: Stage) -> None:
    makers.draft("plan")
    answer = stage.post("plan", {})
    assert (answer.status_code, answer.json()["code"]) == (409, "not_accepting")
    assert "draft" in answer.json()["detail"]


def test_a_page_with_a_session_needs_its_csrf_token(stage: Stage, client: Any) -> None:
    stage.process(stage.application("echo"))
    client.force_login(User.objects.get(username="ana"))
    cookies = {"sessionid": client.cookies["sessionid"].value}
    body = {"inputs": {"message": "from a page"}}
    without = httpx.post(stage.serving.url + path("echo"), json=body, cookies=cookies)
    assert (without.status_code, without.json()["code"]) == (403, "csrf_failed")
    secret = "c" * 32
    headers = {"X-CSRFToken": secret}
    cookies["csrftoken"] = secret
    answer = httpx.post(stage.serving.url + path("echo"), json=body, cookies=cookies, headers=headers)
    assert answer.status_code == 201, answer.text
    assert row(answer).created_by == User.objects.get(username="ana")
    files = {"inputs": (None, '{"message": "from a form"}')}
    answer = httpx.post(stage.serving.url + path("echo"), files=files, cookies=cookies, headers=headers)
    assert answer.status_code == 201, answer.text


def test_a_member_may_execute(stage: Stage) -> None:
    stage.process(stage.application("echo"))
    Membership.objects.update(role="member")
    assert stage.post("echo", {"message": "x"}).status_code == 201
