"""Who sees and does what in the Control Panel."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

import pages_rows
from ovd_saas.store.records import Application, Token

ClientOf = Callable[..., Client]
ACTIONS = "/applications/acme/echo/actions/"


@pytest.fixture
def echo(db: None) -> Application:
    return pages_rows.application("echo", pages_rows.ECHO, "Echo")


def test_nobody_sees_anything_before_signing_in(echo: Application, client: Client) -> None:
    for path in ("/applications/", "/applications/acme/echo/", "/machines/", "/tokens/"):
        answer = client.get(path)
        assert (answer.status_code, answer["Location"]) == (302, f"/login/?next={path}")
    assert client.get("/events/").status_code == 401


def test_a_wrong_password_says_so(db: None, client: Client) -> None:
    pages_rows.person()
    answer = client.post("/login/", {"username": "ana", "password": "wrong"})
    assert "do not belong together" in answer.content.decode()


def test_what_belongs_to_others_is_not_there(echo: Application, client_of: ClientOf) -> None:
    stranger = client_of(None)
    execution = pages_rows.execution(echo)
    for path in (
        "/applications/acme/echo/",
        "/applications/acme/echo/releases/1/",
        f"/executions/{execution.pk}/",
        "/a/acme/echo/",
    ):
        assert stranger.get(path).status_code == 404
    for path in (ACTIONS, f"/executions/{execution.pk}/cancel/", f"/executions/{execution.pk}/take-down/"):
        assert stranger.post(path, {"action": "suspend"}).status_code == 404
    assert "Echo" not in stranger.get("/applications/").content.decode()


def test_a_member_sees_it_and_may_not_operate_it(echo: Application, client_of: ClientOf) -> None:
    member = client_of("member")
    assert 'name="action"' not in member.get("/applications/acme/echo/").content.decode()
    answer = member.post(ACTIONS, {"action": "suspend"})
    assert answer.status_code == 403
    assert "An operator or owner of acme can do this" in answer.content.decode()
    assert Application.objects.get(pk=echo.pk).status == "enabled"


def test_only_who_started_it_and_operators_cancel_an_execution(echo: Application, client_of: ClientOf) -> None:
    ana = pages_rows.person("ana", "member")
    execution = pages_rows.unfinished(echo, ana, "queued")
    assert client_of("member").post(f"/executions/{execution.pk}/cancel/").status_code == 403
    own = Client()
    own.force_login(ana)
    assert own.post(f"/executions/{execution.pk}/cancel/").status_code == 302
    execution.refresh_from_db()
    assert execution.status == "cancelled"


def test_a_token_is_shown_once_and_opens_nothing_when_revoked(client_of: ClientOf) -> None:
    from ovd_saas.appcore import access

    owner = client_of("owner")
    assert owner.post("/tokens/", {"name": "night import"}).status_code == 302
    page = owner.get("/tokens/")
    secret = page.context["fresh"][1]
    assert secret in page.content.decode()
    assert secret not in owner.get("/tokens/").content.decode()
    caller: Any = access.authenticate(secret)
    assert caller.username == "owner"
    token = Token.objects.get()
    assert client_of("member").post(f"/tokens/{token.pk}/revoke/").status_code == 404
    owner.post(f"/tokens/{token.pk}/revoke/")
    assert access.authenticate(secret) is None


def test_a_token_without_a_name_is_refused_with_the_reason(client_of: ClientOf) -> None:
    answer = client_of("owner").post("/tokens/", {"name": " "})
    assert answer.status_code == 422
    assert "A token needs a name" in answer.content.decode()
