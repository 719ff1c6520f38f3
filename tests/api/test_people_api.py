"""Who one is, and one's tokens: shown once, listed without their secret, revoked for good."""

import json
from collections.abc import Callable

from django.test import Client

from api.reading import problem


def test_me_says_user_organisations_and_roles(client_of: Callable[..., Client]) -> None:
    assert client_of("author", "ana").get("/api/v1/me").json() == {
        "user": {"username": "ana", "name": "", "is_staff": False},
        "organisations": [{"slug": "acme", "title": "Acme", "role": "author"}],
        "roles": {"acme": "author"},
    }


def test_a_token_is_made_used_and_revoked(owner: Client) -> None:
    made = owner.post("/api/v1/tokens", json.dumps({"name": "night import"}), content_type="application/json")
    assert made.status_code == 201
    secret, id_ = made.json()["secret"], made.json()["id"]
    bearer = {"Authorization": f"Bearer {secret}"}
    listed = Client().get("/api/v1/tokens", headers=bearer).json()["items"]
    assert listed[0] == {key: value for key, value in made.json().items() if key != "secret"}
    assert owner.delete(f"/api/v1/tokens/{id_}").status_code == 204
    problem(Client().get("/api/v1/me", headers=bearer), 401, "unauthorised")
    problem(owner.delete(f"/api/v1/tokens/{id_}"), 404, "not_found")
    assert id_ not in {row["id"] for row in owner.get("/api/v1/tokens").json()["items"]}


def test_tokens_of_others_are_not_there(owner: Client, client_of: Callable[..., Client]) -> None:
    id_ = owner.get("/api/v1/tokens").json()["items"][0]["id"]
    member = client_of("member")
    problem(member.delete(f"/api/v1/tokens/{id_}"), 404, "not_found")
    assert id_ not in {row["id"] for row in member.get("/api/v1/tokens").json()["items"]}


def test_a_token_needs_a_name(owner: Client) -> None:
    for name in ("", "  ", "n" * 101):
        problem(
            owner.post("/api/v1/tokens", json.dumps({"name": name}), content_type="application/json"), 422, "invalid"
        )
