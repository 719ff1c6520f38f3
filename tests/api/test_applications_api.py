"""Applications through the API: lists with pages, drafts, changes, actions, the timeline."""

import json
from typing import Any

import pytest
from django.test import Client

import makers
from api.reading import problem
from ovd_saas.store import transitions
from ovd_saas.store.records import Application
from ovd_saas.store.transitions import record

A = "/api/v1/applications/acme/echo"


def send(client: Client, method: str, path: str, body: Any = None) -> Any:
    return getattr(client, method)(path, json.dumps(body), content_type="application/json")


def test_an_application_says_what_it_is_and_what_happens_next(owner: Client, echo: Application) -> None:
    Application.objects.update(next_what="Wakes when somebody uses it.")
    found = owner.get(A).json()
    assert set(found) >= {
        "org", "name", "title", "status", "health", "phase", "service", "learning", "reason", "since", "next",
        "release", "model", "upstream", "url",
    }  # fmt: skip
    assert found["phase"] == "idle"
    assert found["release"] == 1
    assert found["since"].endswith("Z")
    assert found["next"] == {"what": "Wakes when somebody uses it.", "at": None}
    assert found["actions"]["wake"] == {"is_legal": True, "reason": None}
    assert found["actions"]["retire"]["reason"].startswith("It is enabled")


@pytest.mark.parametrize(
    ("service", "learning", "phase"),
    [("asleep", "resting", "idle"), ("asleep", "learning", "learning"), ("draining", "learning", "executing")],
)
def test_the_phase_follows_from_the_regions(
    owner: Client, echo: Application, service: str, learning: str, phase: str
) -> None:
    Application.objects.update(service=service, learning=learning)
    assert owner.get(A).json()["phase"] == phase


def test_pages_hold_everything_once_in_the_order_of_addresses(owner: Client) -> None:
    names = sorted(f"app-{number}" for number in range(7))
    for name in reversed(names):
        makers.draft(name)
    found, cursor, pages = [], "", 0
    while cursor is not None:
        page = owner.get("/api/v1/applications", {"limit": 3, **({"cursor": cursor} if cursor else {})}).json()
        found += [row["name"] for row in page["items"]]
        cursor, pages = page["next"], pages + 1
    assert found == names
    assert pages == 3


def test_a_draft_is_made_and_has_an_address(owner: Client) -> None:
    made = send(owner, "post", "/api/v1/applications", {"org": "acme", "name": "new", "title": "New"})
    assert made.status_code == 201
    assert made["Location"] == "/api/v1/applications/acme/new"
    assert owner.get(made["Location"]).json()["status"] == "draft"


def test_another_application_is_adopted(owner: Client, echo: Application) -> None:
    made = send(owner, "post", "/api/v1/applications", {"org": "acme", "name": "ours", "upstream": "acme/echo"})
    assert (made.status_code, made["Location"]) == (201, "/api/v1/applications/acme/ours")
    found = made.json()
    assert (found["upstream"], found["status"], found["release"]) == ("acme/echo", "enabled", 1)
    makers.application("secret", "elsewhere")
    foreign = {"org": "acme", "name": "theirs", "upstream": "elsewhere/secret"}
    assert send(owner, "post", "/api/v1/applications", foreign).status_code == 404
    draft = makers.draft("empty")
    refused = send(owner, "post", "/api/v1/applications", {"org": "acme", "name": "none", "upstream": draft.address})
    assert (refused.status_code, refused.json()["code"]) == (409, "not_adoptable")


def test_a_name_that_is_taken_is_a_conflict(owner: Client, echo: Application) -> None:
    problem(send(owner, "post", "/api/v1/applications", {"org": "acme", "name": "echo"}), 409, "name_taken")


def test_a_name_that_cannot_stand_in_an_address_is_refused(owner: Client) -> None:
    problem(send(owner, "post", "/api/v1/applications", {"org": "acme", "name": "No Name"}), 422, "bad_name")


def test_an_organisation_that_is_not_there_is_404_also_for_staff(owner: Client) -> None:
    from ovd_saas.store.records import User

    User.objects.update(is_staff=True)
    problem(send(owner, "post", "/api/v1/applications", {"org": "nobody", "name": "new"}), 404, "not_found")


def test_title_and_summary_change_and_nothing_else_can(owner: Client, echo: Application) -> None:
    changed = send(owner, "patch", A, {"title": "Echo!", "summary": "Says it again."}).json()
    assert (changed["title"], changed["summary"]) == ("Echo!", "Says it again.")
    assert send(owner, "patch", A, {}).json()["title"] == "Echo!"
    found = problem(send(owner, "patch", A, {"status": "retired", "title": ""}), 422, "invalid")
    assert {error["field"] for error in found["errors"]} == {"status", "title"}


def test_a_legal_action_is_done_and_shown(owner: Client, echo: Application) -> None:
    assert send(owner, "post", f"{A}/actions/suspend").json()["status"] == "suspended"
    assert send(owner, "post", f"{A}/actions/enable").json()["status"] == "enabled"
    assert send(owner, "post", f"{A}/actions/wake").json()["next"]["what"] == "Wakes now."


def test_an_action_that_is_not_legal_says_why(owner: Client, echo: Application) -> None:
    found = problem(send(owner, "post", f"{A}/actions/sleep"), 409, "not_allowed")
    assert "asleep already" in found["detail"]


def test_an_unknown_action_is_refused_with_those_that_are(owner: Client, echo: Application) -> None:
    found = problem(send(owner, "post", f"{A}/actions/dance"), 422, "invalid")
    assert "'wake'" in found["detail"]


def test_the_timeline_tells_every_change_newest_first(owner: Client, echo: Application) -> None:
    for source, target in (("asleep", "waking"), ("waking", "awake")):
        record(echo.pk, "service", source, target, "go", reason="So.", now=echo.since, cause="execution:1")
    first = owner.get(f"{A}/timeline", {"limit": 1}).json()
    assert {**first["items"][0], "id": "", "at": ""} == {
        "id": "", "region": "service", "from": "waking", "to": "awake", "event": "go", "reason": "So.",
        "cause": "execution:1", "actor": "appcore", "at": "",
    }  # fmt: skip
    second = owner.get(f"{A}/timeline", {"limit": 1, "cursor": first["next"]}).json()
    assert second["items"][0]["to"] == "waking"
    assert second["next"] is None


def test_a_change_of_state_is_in_the_timeline(owner: Client, echo: Application) -> None:
    transitions.move(echo.pk, "status", "suspend", reason="Holidays.", now=echo.since, actor="user:ana")
    row = owner.get(f"{A}/timeline").json()["items"][0]
    assert (row["from"], row["to"], row["actor"], row["reason"]) == ("enabled", "suspended", "user:ana", "Holidays.")


@pytest.mark.parametrize("name", ["triggers", "models", "learning-runs", "batches"])
def test_what_only_learning_makes_is_an_empty_list(owner: Client, echo: Application, name: str) -> None:
    assert owner.get(f"{A}/{name}").json() == {"items": [], "next": None}


def test_its_network_says_what_is_asked_allowed_and_reached(owner: Client, echo: Application) -> None:
    assert echo.release is not None
    echo.release.manifest["network"] = {"hosts": ["api.example.org", "other.example.org:80"]}
    echo.release.save()
    assert owner.get(A).json()["network"]["reached"] == []
    changed = send(owner, "patch", A, {"network_allowed": ["API.example.org", "unasked.example.org:1"]}).json()
    assert changed["network"] == {
        "asked": ["api.example.org:443", "other.example.org:80"],
        "allowed": ["api.example.org:443", "unasked.example.org:1"],
        "reached": ["api.example.org:443"],
    }
    row = owner.get(f"{A}/timeline").json()["items"][0]
    assert (row["region"], row["event"], row["actor"]) == ("network", "allow", "user:owner")
    assert send(owner, "patch", A, {"network_allowed": []}).json()["network"]["allowed"] == []


def test_a_host_that_is_none_is_refused(owner: Client, echo: Application) -> None:
    found = problem(send(owner, "patch", A, {"network_allowed": ["http://x.org/"]}), 422, "bad_hosts")
    assert found["errors"][0]["field"] == "network_allowed"
