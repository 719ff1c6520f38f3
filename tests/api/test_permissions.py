"""Who may do what: foreign things are not there, and a role that is not enough is told what would be."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from api.making import make_execution
from api.reading import problem
from ovd_saas.store.records import Application, Execution, User

A = "/api/v1/applications/acme/echo"
READS = [
    A,
    f"{A}/releases",
    f"{A}/releases/1",
    f"{A}/releases/1/log",
    f"{A}/samples",
    f"{A}/executions",
    f"{A}/timeline",
    f"{A}/triggers",
    f"{A}/models",
    f"{A}/learning-runs",
    f"{A}/batches",
    f"{A}/drift",
    "/api/v1/executions/{id}",
]
CHANGES = [
    ("post", f"{A}/actions/wake", None),
    ("post", f"{A}/releases", None),
    ("post", f"{A}/releases/1/actions/withdraw", None),
    ("patch", A, {"title": "T"}),
    ("patch", A, {"network_allowed": ["api.example.org"]}),
    ("post", "/api/v1/applications", {"org": "acme", "name": "new"}),
    ("post", "/api/v1/executions/{id}/cancel", None),
    ("delete", "/api/v1/executions/{id}", None),
]


def send(client: Client, method: str, path: str, body: Any) -> Any:
    return getattr(client, method)(path, json.dumps(body), content_type="application/json")


@pytest.mark.parametrize("role", ["owner", "author", "operator", "member"])
@pytest.mark.parametrize("path", READS)
def test_every_role_may_read(client_of: Callable[..., Client], finished: Execution, role: str, path: str) -> None:
    assert client_of(role).get(path.format(id=finished.pk)).status_code == 200


@pytest.mark.parametrize("path", READS)
def test_to_a_stranger_nothing_is_there(client_of: Callable[..., Client], finished: Execution, path: str) -> None:
    problem(client_of(None).get(path.format(id=finished.pk)), 404, "not_found")


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
def test_to_a_stranger_nothing_can_be_changed(
    client_of: Callable[..., Client], finished: Execution, method: str, path: str, body: Any
) -> None:
    problem(send(client_of(None), method, path.format(id=finished.pk), body), 404, "not_found")


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
def test_a_member_may_change_nothing_of_others(
    client_of: Callable[..., Client], finished: Execution, method: str, path: str, body: Any
) -> None:
    found = problem(send(client_of("member"), method, path.format(id=finished.pk), body), 403, "forbidden")
    assert "You are member of acme" in found["detail"]


def test_what_is_foreign_looks_like_what_does_not_exist(client_of: Callable[..., Client], echo: Application) -> None:
    stranger = client_of(None)
    foreign = stranger.get(A).json()["detail"]
    nothing = stranger.get("/api/v1/applications/nobody/echo").json()["detail"]
    assert foreign.replace("acme", "nobody") == nothing


@pytest.mark.parametrize(("role", "status"), [("author", 403), ("operator", 200), ("owner", 200)])
def test_operators_and_owners_operate(
    client_of: Callable[..., Client], echo: Application, role: str, status: int
) -> None:
    assert client_of(role).post(f"{A}/actions/wake").status_code == status


@pytest.mark.parametrize(("role", "status"), [("author", 422), ("operator", 403), ("owner", 422)])
def test_authors_and_owners_push(client_of: Callable[..., Client], echo: Application, role: str, status: int) -> None:
    archive = SimpleUploadedFile("a.tar.gz", b"no archive")
    assert client_of(role).post(f"{A}/releases", {"archive": archive}).status_code == status


def test_a_member_may_end_what_is_his_own(client_of: Callable[..., Client], echo: Application) -> None:
    member = client_of("member")
    caller = f"user:{User.objects.get(username='member').pk}"
    queued = make_execution(echo, status="queued", caller=caller, finished_at=None)
    assert member.post(f"/api/v1/executions/{queued.pk}/cancel").json()["status"] == "cancelled"
    assert member.delete(f"/api/v1/executions/{queued.pk}").status_code == 204


def test_buttons_of_a_member_are_not_legal_and_say_why(client_of: Callable[..., Client], echo: Application) -> None:
    actions = client_of("member").get(A).json()["actions"]
    assert not any(action["is_legal"] for action in actions.values())
    assert all("role" in action["reason"] for action in actions.values())


def test_staff_see_and_do_everything(client_of: Callable[..., Client], echo: Application) -> None:
    staff = client_of(None, "root")
    User.objects.filter(username="root").update(is_staff=True)
    assert [row["name"] for row in staff.get("/api/v1/applications").json()["items"]] == ["echo"]
    assert staff.post(f"{A}/actions/wake").status_code == 200


def test_a_list_holds_only_what_the_caller_may_see(client_of: Callable[..., Client], echo: Application) -> None:
    assert client_of(None).get("/api/v1/applications").json() == {"items": [], "next": None}
    assert len(client_of("member").get("/api/v1/applications").json()["items"]) == 1


@pytest.mark.parametrize(("role", "status"), [("member", 403), ("author", 403), ("operator", 200), ("owner", 200)])
def test_operators_and_owners_allow_hosts(
    client_of: Callable[..., Client], echo: Application, role: str, status: int
) -> None:
    assert send(client_of(role), "patch", A, {"network_allowed": ["api.example.org"]}).status_code == status
    echo.refresh_from_db()
    assert echo.network_allowed == (["api.example.org:443"] if status == 200 else [])


def test_what_one_role_may_not_change_leaves_the_other_unchanged_too(
    client_of: Callable[..., Client], echo: Application
) -> None:
    both = {"title": "New", "network_allowed": ["api.example.org"]}
    problem(send(client_of("author"), "patch", A, both), 403, "forbidden")
    problem(send(client_of("operator"), "patch", A, both), 403, "forbidden")
    echo.refresh_from_db()
    assert (echo.title, echo.network_allowed) == ("echo", [])
