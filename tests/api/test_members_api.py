"""Members and invitations over HTTP: for owners, with the same rules as in the Control Panel."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

import makers
from api.reading import problem
from ovd_saas.appcore import invitations
from ovd_saas.store.records import Membership

ACME = "/api/v1/organisations/acme"


def send(client: Client, method: str, path: str, body: Any = None) -> Any:
    return getattr(client, method)(path, json.dumps(body), content_type="application/json")


def test_an_owner_invites_changes_and_removes(owner: Client) -> None:
    makers.user("bob", "member")
    listed = {row["username"]: row["role"] for row in owner.get(f"{ACME}/members").json()["items"]}
    assert listed == {"owner": "owner", "bob": "member"}
    assert send(owner, "patch", f"{ACME}/members/bob", {"role": "author"}).json()["role"] == "author"
    assert owner.delete(f"{ACME}/members/bob").status_code == 204
    problem(owner.delete(f"{ACME}/members/bob"), 404, "not_found")
    problem(send(owner, "patch", f"{ACME}/members/owner", {"role": "member"}), 409, "last_owner")
    problem(owner.delete(f"{ACME}/members/owner"), 409, "last_owner")
    problem(send(owner, "patch", f"{ACME}/members/owner", {"role": "emperor"}), 422, "invalid")


def test_an_invitation_is_made_listed_without_its_secret_and_revoked(owner: Client) -> None:
    made = send(owner, "post", f"{ACME}/invitations", {"role": "operator", "email": "eve@example.org"})
    assert made.status_code == 201
    secret = made.json()["path"].split("/")[2]
    listed = owner.get(f"{ACME}/invitations").json()["items"]
    assert listed == [{key: value for key, value in made.json().items() if key != "path"}]
    assert owner.delete(f"{ACME}/invitations/{made.json()['id']}").status_code == 204
    assert owner.get(f"{ACME}/invitations").json()["items"] == []
    with pytest.raises(invitations.Over):
        invitations.look(secret, now=makers.timezone.now())
    assert send(owner, "post", f"{ACME}/invitations", {"role": "member"}).json()["email"] == ""


@pytest.mark.parametrize(("role", "status", "code"), [("operator", 403, "forbidden"), (None, 404, "not_found")])
def test_others_neither_see_nor_change_who_belongs(
    client_of: Callable[..., Client], role: str | None, status: int, code: str
) -> None:
    makers.user("bob", "member")
    client = client_of(role)
    for method, path, body in (
        ("get", "members", None),
        ("get", "invitations", None),
        ("post", "invitations", {"role": "owner"}),
        ("patch", "members/bob", {"role": "owner"}),
        ("delete", "members/bob", None),
        ("delete", "invitations/1", None),
    ):
        answer = client.get(f"{ACME}/{path}") if method == "get" else send(client, method, f"{ACME}/{path}", body)
        problem(answer, status, code)
    assert Membership.objects.get(user__username="bob").role == "member"
