"""Model versions of the API: where each came from, what was live when, and changing that without a doubt."""

import asyncio
import base64
import hashlib
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client

import makers
from api.reading import problem
from ovd_saas.appcore import editions, models
from ovd_saas.files import store
from ovd_saas.store.queries import models as queries
from ovd_saas.store.records import Application, ModelVersion, Promotion

A = "/api/v1/applications/acme/flow"
MODELS = f"{A}/models"
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
FIELDS = {
    "number", "application", "status", "digest", "size", "metrics", "parent", "release", "learning_run", "snapshot",
    "reason", "created_at", "live", "promotions", "archive_url",
}  # fmt: skip


@pytest.fixture
def flow(db: None) -> Application:
    """Asleep, and it learned three versions: 1 was live, 2 is live, 3 waits for a person."""
    flow = makers.application("flow", learn={"data": "all"})
    first = makers.model_version(flow, 1)
    makers.promotion(first, at=START)
    run = makers.learning_run(flow, 2, snapshot=makers.snapshot(flow, last=3, samples=30))
    second = makers.model_version(flow, 2, run=run, snapshot=run.snapshot, parent=first)
    makers.promotion(second, at=START + timedelta(days=1), reason="Better by 0.2.")
    third = makers.model_version(flow, 3, parent=second)
    third.run = makers.learning_run(flow, 3, "awaiting", candidate=third, parent=second)
    third.save()
    return Application.objects.get(pk=flow.pk)


def send(client: Client, path: str, body: Any = None, **headers: str) -> Any:
    if body is None:
        return client.generic("POST", path, headers=headers)
    return client.post(path, body, content_type="application/json", headers=headers)


def content(answer: Any) -> bytes:
    async def read() -> bytes:
        return b"".join([chunk async for chunk in answer.streaming_content])

    return asyncio.run(read())


def now_live(flow: Application) -> int | None:
    flow.refresh_from_db()
    return flow.model.number if flow.model else None


def awake(flow: Application, upcoming: int) -> ModelVersion:
    """As if it served: a version that is chosen is upcoming until a process of it is ready."""
    model = ModelVersion.objects.get(application=flow, number=upcoming)
    promotion = {"kind": "promote", "actor": "user:owner", "reason": "", "run": None}
    Application.objects.filter(pk=flow.pk).update(service="awake", upcoming_model=model, promotion=promotion)
    return model


# reading


def test_a_version_tells_where_it_came_from_and_when_it_was_live(owner: Client, flow: Application) -> None:
    found = owner.get(f"{MODELS}/2").json()
    run = ModelVersion.objects.get(application=flow, number=2).run
    assert set(found) == FIELDS
    assert (found["status"], found["live"], found["metrics"], found["parent"]) == ("active", True, {"mae": 0.5}, 1)
    assert found["learning_run"] == {"id": str(run.pk), "number": 2}  # type: ignore[union-attr]
    assert (found["snapshot"]["batches"], found["snapshot"]["samples"]) == ([1, 3], 30)
    assert found["promotions"] == [
        {"kind": "promote", "at": "2026-03-02T12:00:00Z", "until": None, "actor": "gate", "reason": "Better by 0.2."}
    ]
    first = owner.get(f"{MODELS}/1").json()
    assert (first["status"], first["live"], first["learning_run"], first["snapshot"]) == ("retired", False, None, None)
    assert (first["promotions"][0]["at"], first["promotions"][0]["until"]) == (
        "2026-03-01T12:00:00Z",
        "2026-03-02T12:00:00Z",
    )


def test_versions_are_listed_newest_first_page_by_page_and_by_status(owner: Client, flow: Application) -> None:
    first = owner.get(MODELS, {"limit": 2}).json()
    rest = owner.get(MODELS, {"limit": 2, "cursor": first["next"]}).json()
    assert [row["number"] for row in first["items"] + rest["items"]] == [3, 2, 1]
    assert [row["number"] for row in owner.get(MODELS, {"status": "retired"}).json()["items"]] == [1]
    assert owner.get(A).json()["model"] == 2


def test_a_list_of_versions_costs_the_same_number_of_queries_however_long(
    owner: Client, flow: Application, django_assert_max_num_queries: Any
) -> None:
    for number in range(4, 30):
        run = makers.learning_run(flow, number, snapshot=makers.snapshot(flow, last=number))
        makers.model_version(flow, number, run=run, snapshot=run.snapshot)
    with django_assert_max_num_queries(8):
        assert len(owner.get(MODELS).json()["items"]) == 29


@pytest.mark.parametrize("query", ["status=happy", "limit=0", "cursor=x", "colour=red"])
def test_a_wrong_parameter_is_named(owner: Client, flow: Application, query: str) -> None:
    found = problem(owner.get(f"{MODELS}?{query}"), 422, "invalid")
    assert [error["field"] for error in found["errors"]] == [query.partition("=")[0]]


@pytest.mark.parametrize("path", ["models/9", "models/" + "9" * 30, "models/0", "models/9/archive", "models/x"])
def test_a_version_that_is_not_there_is_404(owner: Client, flow: Application, path: str) -> None:
    problem(owner.get(f"{A}/{path}"), 404, "not_found")


# the archive


def test_the_archive_is_the_tar_with_its_name_and_digest(owner: Client, flow: Application) -> None:
    tar = b"the tar of a folder" * 1000
    digest = store.put(tar)
    ModelVersion.objects.filter(application=flow, number=2).update(digest=digest, size=len(tar))
    answer = owner.get(f"{MODELS}/2/archive")
    assert content(answer) == tar
    assert answer["Content-Type"] == "application/x-tar"
    assert answer["Content-Disposition"] == 'attachment; filename="flow-model-2.tar"'
    assert answer["ETag"] == f'"{digest}"'
    assert answer["Repr-Digest"] == f"sha-256=:{base64.b64encode(hashlib.sha256(tar).digest()).decode()}:"
    assert owner.get(f"{MODELS}/2/archive", headers={"If-None-Match": answer["ETag"]}).status_code == 304
    part = owner.get(f"{MODELS}/2/archive", headers={"Range": "bytes=4-6"})
    assert (part.status_code, content(part)) == (206, b"tar")


def test_an_archive_whose_bytes_are_gone_is_404(owner: Client, flow: Application) -> None:
    assert "no longer stored" in problem(owner.get(f"{MODELS}/2/archive"), 404, "not_found")["detail"]


# what was live when


@pytest.mark.parametrize(
    ("at", "number"),
    [
        ("2026-03-01T11:59:59.999999Z", None),
        ("2026-03-01T12:00:00Z", 1),
        ("2026-03-01T13:00:00%2B01:00", 1),
        ("2026-03-01T13:00:00+01:00", 1),
        ("2026-03-01t11:59:59z", None),
        ("2026-03-02T11:59:59.999999Z", 1),
        ("2026-03-02T12:00:00.000Z", 2),
        ("9999-12-31T23:59:59Z", 2),
        ("0001-01-01T00:00:00Z", None),
    ],
)
def test_the_ledger_answers_for_any_moment(owner: Client, flow: Application, at: str, number: int | None) -> None:
    found = owner.get(f"{MODELS}/live?at={at}").json()
    assert set(found) == {"at", "model", "promotion"}
    assert found["at"].endswith("Z")
    assert (found["model"] and found["model"]["number"]) == number
    if number is None:
        assert found["promotion"] is None
    else:
        assert found["promotion"] in found["model"]["promotions"]


def test_without_a_moment_it_is_now(owner: Client, flow: Application) -> None:
    found = owner.get(f"{MODELS}/live").json()
    assert found["model"] == owner.get(f"{MODELS}/2").json()
    assert found["promotion"]["until"] is None


def test_before_the_first_promotion_nothing_was_ever_live(owner: Client, echo: Application) -> None:
    found = owner.get("/api/v1/applications/acme/echo/models/live?at=2026-03-01T12:00:00Z").json()
    assert found == {"at": "2026-03-01T12:00:00Z", "model": None, "promotion": None}


@pytest.mark.parametrize(
    "at",
    ["", "yesterday", "2026-03-01", "2026-03-01T12:00:00", "2026-02-30T12:00:00Z", "2026-03-01T25:00:00Z", "1772366400",
     "2026-03-01T12:00:00%2B99:00", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00%2B23:59",
     "2026-03-01T12:00:00%00Z", "2026-W09-7T12:00:00Z", "%D9%A1026-03-01T12:00:00Z", "x" * 101],
)  # fmt: skip
def test_what_is_no_moment_is_refused_with_an_example(owner: Client, flow: Application, at: str) -> None:
    found = problem(owner.get(f"{MODELS}/live?at={at}"), 422, "invalid")
    assert [error["field"] for error in found["errors"]] == ["at"]
    assert len(found["detail"]) < 200


# promoting


def test_approving_makes_a_candidate_live_and_ends_its_run(owner: Client, flow: Application) -> None:
    answer = send(owner, f"{MODELS}/3/promote", {"reason": "I looked at the curves."})
    assert (answer.status_code, answer.json()["live"], answer["Location"]) == (200, True, f"{MODELS}/3")
    (row,) = answer.json()["promotions"]
    assert (row["kind"], row["actor"], row["reason"]) == ("promote", "user:owner", "I looked at the curves.")
    assert now_live(flow) == 3
    assert owner.get(f"{A}/learning-runs").json()["items"][0]["status"] == "promoted"
    assert owner.get(f"{MODELS}/2").json()["promotions"][0]["until"] == row["at"]


def test_promoting_needs_no_body(owner: Client, flow: Application) -> None:
    found = send(owner, f"{MODELS}/3/promote").json()
    assert found["live"]
    assert found["promotions"][0]["reason"]


@pytest.mark.parametrize(
    ("number", "code"), [(2, "model_not_promotable"), (4, "stale_parent"), (5, "model_not_promotable")]
)
def test_what_cannot_be_promoted_says_why(owner: Client, flow: Application, number: int, code: str) -> None:
    makers.model_version(flow, 4)
    makers.model_version(flow, 5, "rejected")
    problem(send(owner, f"{MODELS}/{number}/promote"), 409, code)
    assert now_live(flow) == 2
    assert Promotion.objects.filter(application=flow).count() == 2


def test_while_a_process_starts_the_answer_is_202_and_what_was_live_is_live(owner: Client, flow: Application) -> None:
    awake(flow, 3)
    answer = send(owner, f"{MODELS}/3/promote", Prefer="respond-async")
    assert (answer.status_code, answer.json()["live"], answer["Location"]) == (202, False, f"{MODELS}/3")
    assert now_live(flow) == 2


@pytest.mark.django_db(transaction=True)
def test_whoever_waits_is_answered_when_the_version_is_live(owner: Client, flow: Application) -> None:
    awake(flow, 3)

    def becomes_ready() -> None:
        models.take_over(application=editions.locked(flow.pk), now=START + timedelta(days=2))

    answer = meanwhile(becomes_ready, lambda: send(owner, f"{MODELS}/3/promote", Prefer="wait=30"))
    assert (answer.status_code, answer.json()["live"]) == (200, True)


@pytest.mark.django_db(transaction=True)
def test_whoever_waits_is_told_that_the_version_did_not_start(owner: Client, flow: Application) -> None:
    awake(flow, 3)

    def fails_to_start() -> None:
        models.drop_upcoming(application=editions.locked(flow.pk), reason="It did not start three times.", now=START)

    answer = meanwhile(fails_to_start, lambda: send(owner, f"{MODELS}/3/promote", Prefer="wait=30"))
    assert "It did not start three times." in problem(answer, 409, "did_not_start")["detail"]
    assert now_live(flow) == 2


def meanwhile(event: Callable[[], None], ask: Callable[[], Any]) -> Any:
    """The answer to what is asked, where the event happens after the door has looked for the first time."""
    has_looked = threading.Event()
    look = queries.is_coming

    def looked(model: ModelVersion) -> bool:
        found = look(model)
        has_looked.set()
        return found

    def happen() -> None:
        assert has_looked.wait(20)
        with transaction.atomic():
            event()
        connection.close()

    thread = threading.Thread(target=happen)
    thread.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(queries, "is_coming", looked)
        answer = ask()
    thread.join()
    return answer


@pytest.mark.parametrize("prefer", ["wait=-1", "wait=soon", "wait=1.5", "wait=", "wait=٣"])
def test_a_wait_that_is_no_number_of_seconds_is_refused_before_anything_changes(
    owner: Client, flow: Application, prefer: str
) -> None:
    for path in ("3/promote", "rollback"):
        assert "wait" in problem(send(owner, f"{MODELS}/{path}", Prefer=prefer), 400, "bad_request")["detail"]
    assert now_live(flow) == 2


# declining


def test_declining_keeps_a_candidate_as_rejected(owner: Client, flow: Application) -> None:
    found = send(owner, f"{MODELS}/3/reject", {"reason": "The data were wrong."}).json()
    assert (found["status"], found["reason"], found["live"]) == ("rejected", "The data were wrong.", False)
    assert owner.get(f"{A}/learning-runs").json()["items"][0]["status"] == "rejected"
    problem(send(owner, f"{MODELS}/3/reject"), 409, "model_not_rejectable")
    problem(send(owner, f"{MODELS}/2/reject"), 409, "model_not_rejectable")
    assert now_live(flow) == 2


# rolling back


def test_rolling_back_goes_to_the_one_before_and_is_a_new_row(owner: Client, flow: Application) -> None:
    answer = send(owner, f"{MODELS}/rollback", {"reason": "It drifted."})
    assert (answer.status_code, answer.json()["number"], answer.json()["live"]) == (200, 1, True)
    rows = answer.json()["promotions"]
    assert [(row["kind"], row["reason"]) for row in rows] == [
        ("promote", "It passed the gate."),
        ("rollback", "It drifted."),
    ]
    assert now_live(flow) == 1
    found = problem(send(owner, f"{MODELS}/rollback"), 409, "nothing_to_roll_back_to")
    assert "No version was live before" in found["detail"]


def test_rolling_back_to_a_number(owner: Client, flow: Application) -> None:
    assert send(owner, f"{MODELS}/rollback", {"to": 1}).json()["number"] == 1
    assert send(owner, f"{MODELS}/rollback", {"to": 2}).json()["number"] == 2
    problem(send(owner, f"{MODELS}/rollback", {"to": 2}), 409, "model_not_promotable")
    problem(send(owner, f"{MODELS}/rollback", {"to": 3}), 409, "model_not_promotable")
    problem(send(owner, f"{MODELS}/rollback", {"to": 99}), 404, "not_found")


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("3/promote", {"reason": 5}, "reason"),
        ("3/promote", {"reason": "x" * 1001}, "reason"),
        ("3/promote", {"to": 1}, "to"),
        ("3/reject", {"why": "x"}, "why"),
        ("rollback", {"to": 0}, "to"),
        ("rollback", {"to": True}, "to"),
        ("rollback", {"to": "1"}, "to"),
        ("rollback", {"to": "one"}, "to"),
        ("rollback", {"to": 1.5}, "to"),
        ("rollback", {"number": 1}, "number"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_changes(
    owner: Client, flow: Application, path: str, body: dict[str, Any], field: str
) -> None:
    found = problem(send(owner, f"{MODELS}/{path}", body), 422, "invalid")
    assert [error["field"] for error in found["errors"]] == [field]
    assert "Input should be" not in found["detail"]
    assert now_live(flow) == 2


# who may

CHANGES = ["3/promote", "3/reject", "rollback"]
READS = ["", "/1", "/live"]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(("role", "status"), [("member", 403), ("author", 403), ("operator", 200), ("owner", 200)])
def test_operators_and_owners_change_what_is_live(
    client_of: Callable[..., Client], flow: Application, role: str, status: int, change: str
) -> None:
    assert send(client_of(role), f"{MODELS}/{change}").status_code == status


@pytest.mark.parametrize("role", ["member", "author", "operator"])
def test_every_role_may_read(client_of: Callable[..., Client], flow: Application, role: str) -> None:
    assert [client_of(role).get(f"{MODELS}{path}").status_code for path in READS] == [200, 200, 200]


def test_to_a_stranger_no_model_is_there(client_of: Callable[..., Client], flow: Application) -> None:
    stranger = client_of(None)
    for path in (*READS, "/1/archive"):
        problem(stranger.get(f"{MODELS}{path}"), 404, "not_found")
    for path in CHANGES:
        problem(send(stranger, f"{MODELS}/{path}"), 404, "not_found")
    assert now_live(flow) == 2


def test_numbers_are_those_of_the_application(owner: Client, flow: Application, echo: Application) -> None:
    problem(send(owner, "/api/v1/applications/acme/echo/models/3/promote"), 404, "not_found")
    problem(owner.get("/api/v1/applications/acme/echo/models/1/archive"), 404, "not_found")
