"""Every error is one shape, with a stable code and a sentence that says what to do."""

import json
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

import makers
from api.reading import problem
from ovd_saas.api.v1 import lookups
from ovd_saas.store.records import Application


def test_an_unknown_address_is_a_problem(owner: Client) -> None:
    for path in ("/api/v1/nothing", "/api/v2/me", "/api/", "/api", "/api/v1/", "/api/v1/me/"):
        found = problem(owner.get(path), 404, "not_found")
        assert path in found["detail"]


def test_an_unknown_address_is_a_problem_also_for_a_post_from_a_browser(db: None) -> None:
    problem(Client(enforce_csrf_checks=True).post("/api/v1/nothing"), 404, "not_found")


@pytest.mark.parametrize("path", ["executions/1/replay", "replays/1"])
def test_what_comes_later_says_so(owner: Client, path: str) -> None:
    found = problem(owner.post(f"/api/v1/{path}"), 404, "not_offered")
    assert "not offered by this platform yet" in found["detail"]


def test_a_method_that_an_address_does_not_take_is_a_problem(owner: Client) -> None:
    response = owner.delete("/api/v1/me")
    found = problem(response, 405, "method_not_allowed")
    assert response["Allow"] == "GET"
    assert "DELETE" in found["detail"]


@pytest.mark.parametrize(("what", "allowed"), [("intake", "POST"), ("executions", "GET, POST")])
def test_what_the_gateway_answers_is_named_among_the_methods(owner: Client, what: str, allowed: str) -> None:
    response = owner.put(f"/api/v1/applications/acme/echo/{what}")
    found = problem(response, 405, "method_not_allowed")
    assert response["Allow"] == allowed
    assert f"takes {allowed}, not PUT" in found["detail"]


def test_nobody_signed_in_is_401_and_names_the_scheme(client: Client, db: None) -> None:
    response = client.get("/api/v1/me")
    problem(response, 401, "unauthorised")
    assert response["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("value", ["Bearer ovd_wrong", "Bearer", "Basic YTpi", "ovd_x", "Bearer \u00e9"])
def test_a_token_that_opens_nothing_is_401(client: Client, db: None, value: str) -> None:
    problem(client.get("/api/v1/me", headers={"Authorization": value}), 401, "unauthorised")


def test_each_wrong_field_is_named(owner: Client) -> None:
    body = {"org": "acme", "title": 7, "colour": "red"}
    response = owner.post("/api/v1/applications", json.dumps(body), content_type="application/json")
    found = problem(response, 422, "invalid")
    assert {error["field"] for error in found["errors"]} == {"name", "title", "colour"}
    assert all(error["message"] for error in found["errors"])


@pytest.mark.parametrize("title", ["a\0b", "\ud800"])
def test_what_no_database_can_keep_is_refused(owner: Client, echo: Application, title: str) -> None:
    response = owner.patch(
        "/api/v1/applications/acme/echo", json.dumps({"title": title}), content_type="application/json"
    )
    found = problem(response, 422, "invalid")
    assert [error["field"] for error in found["errors"]] == ["title"]


@pytest.mark.parametrize("body", ["", "{", "nope", "[1]", "null", b"\xff", "[" * 100_000])
def test_a_body_that_is_no_json_object_is_refused(owner: Client, body: Any) -> None:
    response = owner.post("/api/v1/applications", body, content_type="application/json")
    assert response.status_code in (400, 422)
    problem(response, response.status_code, "bad_request" if response.status_code == 400 else "invalid")


def test_a_query_parameter_that_is_not_known_is_named(owner: Client) -> None:
    found = problem(owner.get("/api/v1/applications?limit=5&colour=red"), 422, "invalid")
    assert [error["field"] for error in found["errors"]] == ["colour"]
    assert "cursor, limit" in found["detail"]


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "cursor=zzz", "cursor=WzFd", "cursor=%00"])
def test_a_page_that_cannot_be_is_refused(owner: Client, query: str) -> None:
    found = problem(owner.get(f"/api/v1/applications?{query}"), 422, "invalid")
    assert [error["field"] for error in found["errors"]] == [query.partition("=")[0]]


def test_a_request_too_large_for_memory_is_413(owner: Client, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    response = owner.post("/api/v1/applications", json.dumps({"org": "a" * 2000}), content_type="application/json")
    assert response.status_code in (400, 413)
    assert response["Content-Type"] == "application/problem+json"


def test_an_unexpected_error_tells_an_id_and_nothing_of_the_code(
    owner: Client, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def breaks(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(lookups, "application", breaks)
    response = owner.get("/api/v1/applications/acme/echo")
    found = problem(response, 500, "internal_error")
    assert "secret" not in response.content.decode()
    id_ = found["detail"].rstrip(".").rsplit(" ", 1)[1]
    assert len(id_) == 12
    logged = capsys.readouterr().out
    assert id_ in logged
    assert "secret detail" in logged


def test_a_database_that_does_not_answer_is_503_with_a_time_to_come_back(
    owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(lookups, "application", breaks)
    response = owner.get("/api/v1/applications/acme/echo")
    problem(response, 503, "unavailable")
    assert int(response["Retry-After"]) > 0


def test_a_session_needs_its_csrf_token_for_what_changes_something(echo: Application) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(makers.user("ana"))
    assert browser.get("/api/v1/me").json()["user"]["username"] == "ana"
    body = json.dumps({"name": "x"})
    problem(browser.post("/api/v1/tokens", body, content_type="application/json"), 403, "csrf_failed")
    browser.get("/api/v1/docs")
    secret = browser.cookies["csrftoken"].value
    answer = browser.post("/api/v1/tokens", body, content_type="application/json", headers={"X-CSRFToken": secret})
    assert answer.status_code == 201


def test_a_wrong_token_is_not_made_good_by_a_session(echo: Application) -> None:
    browser = Client()
    browser.force_login(makers.user("ana"))
    problem(browser.get("/api/v1/me", headers={"Authorization": "Bearer ovd_wrong"}), 401, "unauthorised")


@pytest.mark.parametrize("path", ["/api/v1/docs", "/api/v1/openapi.json"])
def test_the_documents_take_no_other_method(db: None, path: str) -> None:
    response = Client(enforce_csrf_checks=True).put(path)
    problem(response, 405, "method_not_allowed")
    assert response["Allow"] == "GET, HEAD"


def test_a_body_of_another_kind_is_refused(owner: Client, echo: Application) -> None:
    response = owner.patch("/api/v1/applications/acme/echo", "{}", content_type="text/plain")
    problem(response, 415, "unsupported_media_type")


def test_too_many_parts_are_refused(owner: Client, echo: Application) -> None:
    parts = {f"part{number}": "x" for number in range(1100)}
    problem(owner.post("/api/v1/applications/acme/echo/releases", parts), 413, "too_large")


def test_what_a_stranger_sent_is_not_sent_back_at_any_length(owner: Client) -> None:
    long = "x" * 100_000
    response = owner.post("/api/v1/applications", json.dumps({long: 1}), content_type="application/json")
    problem(response, 422, "invalid")
    assert len(response.content) < 6000


def test_a_session_that_has_ended_is_401_without_a_word_about_csrf(db: None) -> None:
    client = Client(enforce_csrf_checks=True)
    client.cookies["sessionid"] = "ended"
    problem(client.patch("/api/v1/applications/acme/echo", "{}", content_type="application/json"), 401, "unauthorised")
