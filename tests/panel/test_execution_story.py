"""What the page of an execution says at a glance: what it is doing, why, what comes next, and what can be done."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

import makers
import pages_learning
import pages_rows
from ovd_saas.panel import execution_words, provenance
from ovd_saas.store.records import Application, Batch, Execution, Share, User
from pages_parsed import Page

ClientOf = Callable[..., Client]
NOW = timezone.now()


@pytest.fixture
def rows(db: None) -> dict[str, Any]:
    return pages_rows.platform()


def story(row: Execution, **also: Any) -> str:
    told = execution_words.of(row, **{"position": None, "usual": None, "now": NOW, **also})
    return f"{told.doing} {told.then}"


def waiting(service: str = "asleep", **also: Any) -> Execution:
    return Execution(status="queued", application=Application(service=service, status="enabled", **also))


def running(seconds: float, fraction: float | None = None) -> Execution:
    return Execution(status="running", started_at=NOW - timedelta(seconds=seconds), progress={"fraction": fraction})


def ended(status: str, **error: str) -> Execution:
    return Execution(status=status, seconds=3.2, error=error or None)


def test_one_that_waits_says_behind_how_many_and_that_the_application_wakes() -> None:
    assert story(waiting(), position=3) == "Queued behind 2 others. The application wakes now."
    assert story(waiting("awake"), position=1, usual=2.0) == (
        "Queued, and next in line. The application is awake. One run usually takes 2.0 s."
    )


def test_one_that_waits_says_what_holds_it() -> None:
    assert "is suspended. It starts when somebody enables it" in story(
        Execution(status="queued", application=Application(service="asleep", status="suspended"))
    )
    assert "does not start. The lock is broken." in story(waiting(health="faulty", reason="The lock is broken."))
    assert "Wakes when 512 MB are free." in story(waiting(waits_since=NOW, next_what="Wakes when 512 MB are free."))


def test_one_that_runs_says_how_far_it_is_and_how_long_it_takes() -> None:
    assert story(running(8, 0.4)).startswith("Running, 40 % done, about 12 s left.")
    assert story(running(3), usual=8.0).startswith("Running, about 5 s left: one usually takes 8.0 s.")
    assert story(running(9), usual=4.0).startswith("Running for 9.0 s, longer than the 4.0 s")
    assert "not known yet" in story(running(2))


def test_an_end_says_why_and_what_to_do() -> None:
    assert story(ended("succeeded")).startswith("It succeeded in 3.2 s.")
    assert "allow more time" in story(ended("failed", code="timeout", message="It took longer than 60 s."))
    assert "tell its author" in story(ended("failed", code="novel", message="Strange."))
    assert story(ended("rejected", message="Too dark.")).startswith("The application declined this input: Too dark.")
    assert "deadline" in story(ended("expired"))


def test_where_the_time_went_has_the_waking_in_it(rows: dict[str, Any]) -> None:
    came = NOW - timedelta(seconds=10)
    row = Execution(created_at=came, started_at=came + timedelta(seconds=4), finished_at=came + timedelta(seconds=10))
    process = pages_rows.process(
        rows["water"], started_at=came + timedelta(seconds=1), ready_at=came + timedelta(seconds=3)
    )
    steps = provenance.steps(row, process, NOW)
    assert [(one.word, round(one.left), round(one.width), one.seconds) for one in steps] == [
        ("queued", 0, 10, 1.0),
        ("waking", 10, 20, 2.0),
        ("its turn", 30, 10, 1.0),
        ("running", 40, 60, 6.0),
    ]
    assert [one.word for one in provenance.steps(row, None, NOW)] == ["queued", "running"]


def page_of(client: Client, row: Execution) -> Page:
    return Page(client.get(f"/executions/{row.pk}/").content.decode())


def offered(client: Client, row: Execution) -> set[str]:
    html = client.get(f"/executions/{row.pk}/").content.decode()
    return {one for one in ("cancel", "again", "changes", "share", "take-down") if f'data-key="{one}"' in html}


def test_exactly_what_is_possible_is_offered(rows: dict[str, Any], client_of: ClientOf) -> None:
    member, operator = client_of("member"), client_of("operator")
    assert offered(operator, rows["running"]) == {"cancel"}
    assert offered(member, rows["running"]) == set()
    assert offered(operator, rows["done"]) == {"again", "changes", "share", "take-down"}
    assert offered(member, rows["done"]) == {"again", "changes"}
    assert offered(operator, rows["failed"]) == {"again", "changes", "take-down"}
    assert offered(operator, rows["taken"]) == set()


def test_a_forged_post_is_refused_with_the_reason(rows: dict[str, Any], client_of: ClientOf) -> None:
    operator = client_of("operator")
    for name, action, why in (
        ("running", "again", "Wait until it has finished"),
        ("taken", "again", "its inputs are gone"),
        ("failed", "shares", "Only one that succeeded"),
        ("done", "feedback", "Nothing is asked"),
        ("running", "take-down", "Cancel it first"),
    ):
        answer = operator.post(f"/executions/{rows[name].pk}/{action}/", headers={"Accept": "application/json"})
        assert answer.status_code == 409, (name, action)
        assert why in answer.json()["detail"]


def test_strangers_can_do_nothing_and_members_share_only_their_own(rows: dict[str, Any], client_of: ClientOf) -> None:
    done = rows["done"]
    for action in ("again", "shares", "feedback", "cancel", "take-down", "shares/1/revoke"):
        assert client_of(None).post(f"/executions/{done.pk}/{action}/").status_code == 404
    assert client_of("member").post(f"/executions/{done.pk}/shares/").status_code == 403
    assert not Share.objects.exists()


def test_running_again_goes_to_the_new_one_which_leads_back(rows: dict[str, Any], client_of: ClientOf) -> None:
    member, done = client_of("member"), rows["done"]
    answer = member.post(f"/executions/{done.pk}/again/", headers={"Accept": "application/json"})
    made = Execution.objects.latest("created_at")
    assert answer.json()["location"] == f"/executions/{made.pk}/"
    page = page_of(member, made)
    assert "Run again by member, with the inputs and the seed of another run" in page.text
    assert f"/executions/{done.pk}/" in page.links


def test_what_it_caused_stands_below_it_and_leads_to_the_timeline(rows: dict[str, Any], client_of: ClientOf) -> None:
    done = rows["done"]
    pages_rows.moved(rows["water"], "service", "asleep", "waking", "1 waits.", 30, cause=f"execution:{done.pk}")
    page = page_of(client_of("member"), done)
    assert "waking" in page.text
    assert f"/timeline/?cause=execution:{done.pk}" in page.links


def test_who_made_a_link_copies_it_and_others_only_revoke_it(rows: dict[str, Any], client_of: ClientOf) -> None:
    done, operator = rows["done"], client_of("operator")
    operator.post(f"/executions/{done.pk}/shares/")
    share = Share.objects.get()
    assert share.secret in operator.get(f"/executions/{done.pk}/").content.decode()
    owner = client_of("owner").get(f"/executions/{done.pk}/").content.decode()
    assert share.secret not in owner
    assert f"/shares/{share.pk}/revoke/" in owner
    member = client_of("member").get(f"/executions/{done.pk}/").content.decode()
    assert share.secret not in member
    assert "1 link shows it" in member


def test_a_link_shows_inputs_and_outputs_and_neither_log_nor_who(
    rows: dict[str, Any], client_of: ClientOf, client: Client
) -> None:
    drawn, operator = rows["drawn"], client_of("operator")
    operator.post(f"/executions/{drawn.pk}/shares/")
    secret = Share.objects.get().secret
    answer = client.get(f"/shared/{secret}/")
    text = Page(answer.content.decode()).text
    assert "87.25 px" in text
    assert "reading the input" not in text
    assert "ana" not in text.split()
    assert (answer["Cache-Control"], answer["Referrer-Policy"]) == ("no-store", "no-referrer")
    assert "noindex" in answer["X-Robots-Tag"]
    digest = drawn.outputs["drawn"]["digest"]
    assert client.get(f"/shared/{secret}/files/{digest}").status_code == 200
    assert client.get(f"/shared/{secret}/outputs/segments.csv").status_code == 200
    other = rows["taken"].digests["release"]
    assert client.get(f"/shared/{secret}/files/{other}").status_code == 404
    operator.post(f"/executions/{drawn.pk}/shares/{Share.objects.get().pk}/revoke/")
    for place in ("", f"files/{digest}", "outputs/segments.csv"):
        assert client.get(f"/shared/{secret}/{place}").status_code == 404
    assert client.get("/shared/nobody-knows/").status_code == 404
    assert client.get(f"/executions/{drawn.pk}/").status_code == 302


def test_sound_plays_from_any_place(rows: dict[str, Any], client_of: ClientOf) -> None:
    drawn, member = rows["drawn"], client_of("member")
    drawn.outputs["sound"] = pages_rows.stored("tone.wav", "audio/x-wav", bytes(range(100)))
    drawn.save()
    assert "<audio" in member.get(f"/executions/{drawn.pk}/").content.decode()
    address = f"/executions/{drawn.pk}/files/{drawn.outputs['sound']['digest']}"
    for asked, status, told, length in (
        ("bytes=10-19", 206, "bytes 10-19/100", "10"),
        ("bytes=-5", 206, "bytes 95-99/100", "5"),
        ("bytes=90-", 206, "bytes 90-99/100", "10"),
    ):
        answer = member.get(address, headers={"Range": asked})
        assert (answer.status_code, answer["Content-Range"], answer["Content-Length"]) == (status, told, length)
    assert member.get(address, headers={"Range": "bytes=100-"}).status_code == 416
    assert member.get(address)["Content-Type"] == "audio/x-wav"


def test_a_label_becomes_a_sample(db: None, client_of: ClientOf) -> None:
    pages_learning.digits(pages_rows.person())
    execution, member = Execution.objects.get(), client_of("member")
    assert "Was this right?" in page_of(member, execution).text
    answer = member.post(
        f"/executions/{execution.pk}/feedback/", {"label": "4"}, headers={"Accept": "application/json"}
    )
    assert "batch 4" in answer.json()["message"]
    assert Batch.objects.get(number=4).kind == "feedback"
    assert "member said: 4" in page_of(member, execution).text
    stranger = client_of(None)
    assert stranger.post(f"/executions/{execution.pk}/feedback/", {"label": "4"}).status_code == 404


def test_taking_down_says_which_versions_learned_from_it(db: None, client_of: ClientOf) -> None:
    app = pages_learning.digits(pages_rows.person())
    execution, operator = Execution.objects.get(), client_of("operator")
    operator.post(f"/executions/{execution.pk}/feedback/", {"label": "4"})
    makers.model_version(app, 3, snapshot=makers.snapshot(app, 4, 130))
    assert "Version 3 learned from it" in page_of(operator, execution).text


def test_a_page_asks_the_database_as_often_whatever_it_holds(
    rows: dict[str, Any], client_of: ClientOf, django_assert_max_num_queries: Any
) -> None:
    operator, done = client_of("operator"), rows["done"]
    ana = User.objects.get(username="ana")
    for _ in range(5):
        pages_rows.execution(rows["water"], ana)
        pages_rows.moved(rows["water"], "service", "asleep", "waking", ".", 3, cause=f"execution:{done.pk}")
        Share.objects.create(execution=done, secret=f"s{_}", created_at=NOW, created_by=ana)
    with django_assert_max_num_queries(16):
        operator.get(f"/executions/{done.pk}/")
