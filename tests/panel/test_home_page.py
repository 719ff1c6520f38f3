"""Home says what all applications are doing and what needs a person, with the button right there."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

import makers
import pages_rows
from ovd_saas.files import disk
from ovd_saas.store.records import Application, LearningRun, Measure, Release, Runner, SourceFile, User
from pages_parsed import Page

ClientOf = Callable[..., Client]


@pytest.fixture
def led(db: None) -> None:
    """An AppCore leads: whoever holds its lock, here this test's own connection."""
    from ovd_saas.store.queries.liveness import LEADER_KEY

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LEADER_KEY])


def text(client: Client, part: str = "") -> str:
    headers = {"X-Fragment": part} if part else {}
    return Page(client.get("/home/", headers=headers).content.decode()).text


def staff(client_of: ClientOf, role: str = "owner") -> Client:
    client = client_of(role)
    User.objects.filter(username=role).update(is_staff=True)
    return client


def candidate(application: Application) -> LearningRun:
    run = makers.learning_run(application, 1, "awaiting", gate={"sentence": "Its mae is lower by 0.12."})
    model = makers.model_version(application, 1, run=run)
    LearningRun.objects.filter(pk=run.pk).update(candidate=model)
    return run


def test_the_address_without_a_path_leads_home(client_of: ClientOf) -> None:
    assert client_of("member").get("/")["Location"] == "/home/"
    assert Client().get("/home/")["Location"] == "/login/?next=/home/"


def test_it_counts_the_fleet_and_each_number_leads_to_its_list(client_of: ClientOf) -> None:
    for name, also in (("a", {}), ("b", {"learning": "learning"}), ("c", {"service": "awake"}), ("d", {})):
        pages_rows.application(name, pages_rows.ECHO, **also)
    Application.objects.filter(name="d").update(health="faulty")
    pages_rows.application("foreign", pages_rows.ECHO, slug="globex")
    page = Page(client_of("member").get("/home/", headers={"X-Fragment": "counts"}).content.decode())
    assert page.text.strip() == "1 asleep · idle 1 asleep · learning 1 awake · executing 1 faulty"
    assert page.links == [f"/applications/?show={name}" for name in ("idle", "learning", "executing", "faulty")]


def test_when_nothing_needs_a_person_it_says_so(client_of: ClientOf, led: None) -> None:
    pages_rows.application("echo", pages_rows.ECHO)
    assert "Nothing needs you" in text(client_of("owner"))


def test_a_candidate_is_approved_or_rejected_on_the_spot(client_of: ClientOf, led: None) -> None:
    application = makers.learning_application()
    candidate(application)
    operator = client_of("operator")
    said = text(operator, "needs")
    assert "Version 1 passed the gate and waits for a decision. Its mae is lower by 0.12." in said
    assert "Approve" in said and "Reject" in said
    member = text(client_of("member"), "needs")
    assert "Approve" not in member and "An operator or owner of acme decides." in member
    operator.post("/applications/acme/flow/models/1/promote/")
    application.refresh_from_db()
    assert application.model is not None and application.model.number == 1
    assert "Nothing needs you" in text(operator)


def test_a_candidate_that_was_compared_with_what_is_live_no_more_is_only_rejected(
    client_of: ClientOf, led: None
) -> None:
    application = makers.learning_application()
    candidate(application)
    makers.promotion(makers.model_version(application, 2))
    said = text(client_of("operator"), "needs")
    assert "was compared with a version that is not live now" in said
    assert "Approve" not in said and "Reject" in said


def test_a_faulty_application_can_be_tried_again_or_go_back_to_the_release_before(
    client_of: ClientOf, led: None
) -> None:
    application = makers.application()
    newer = makers.release(application, 2)
    Application.objects.filter(pk=application.pk).update(
        release=newer, health="faulty", reason="3 starts in a row failed."
    )
    owner = client_of("owner")
    said = text(owner, "needs")
    assert "It does not start. 3 starts in a row failed." in said
    assert "Try again" in said and "Go back to release 1" in said
    member = text(client_of("member"), "needs")
    assert "It does not start." in member and "Try again" not in member and "Go back" not in member
    owner.post("/applications/acme/echo/releases/1/use/")
    application.refresh_from_db()
    assert application.release is not None and application.release.number == 1


def test_a_withdrawn_release_is_not_offered_to_go_back_to(client_of: ClientOf, led: None) -> None:
    application = makers.application()
    Release.objects.filter(pk=application.release_id).update(withdrawn_at=timezone.now())
    newer = makers.release(application, 2)
    Application.objects.filter(pk=application.pk).update(release=newer, health="faulty")
    assert "Go back" not in text(client_of("owner"), "needs")


def test_failed_builds_runs_and_sources_each_say_cause_and_cure(client_of: ClientOf, led: None) -> None:
    application = makers.learning_application()
    Release.objects.create(application=application, number=2, state="failed", digest="sha256:2", error="No ovd.toml.")
    makers.learning_run(application, 1, "failed", error={"code": "exception", "message": "ValueError: empty"})
    for path, error in (("a.csv", "Line 3: no number."), ("", "No such folder.")):
        SourceFile.objects.create(
            application=application, source=f"in{len(path)}", path=path, version="1", error=error,
            seen_at=timezone.now(),
        )  # fmt: skip
    said = text(client_of("operator"), "needs")
    assert "Release 2 could not be built; what runs is unchanged. No ovd.toml." in said
    assert "Its last learning run failed. ValueError: empty" in said and "Learn again" in said
    assert "1 file of its source in5 could not be read. Line 3: no number." in said
    assert "Its source in0 cannot be pulled. No such folder." in said
    makers.release(application, 3)
    makers.learning_run(application, 2, "promoted")
    SourceFile.objects.update(error="")
    assert "Nothing needs you" in text(client_of("operator"))


def test_machines_and_disk_are_told_to_staff_alone(
    client_of: ClientOf, led: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages_rows.runner("bench-9", is_up=False)
    drained = pages_rows.runner("bench-8")
    Runner.objects.filter(pk=drained.pk).update(
        drained_at=timezone.now(), drained_by="user:ana", drain_reason="A new disk."
    )
    little = disk.Disk(("data",), "/data", 100 << 30, 1 << 30)
    monkeypatch.setattr(disk, "disks", lambda: [little])
    said = text(staff(client_of), "needs")
    assert "The runner of this machine does not answer" in said
    assert "ana drained this machine" in said and "A new disk." in said and "Use it again" in said
    assert "Only 1.0 GiB are free below /data" in said
    assert "does not answer" not in text(client_of("operator"), "needs")


def test_that_no_appcore_runs_is_told_to_everybody(client_of: ClientOf) -> None:
    assert "AppCore is not running" in text(client_of("member"), "needs")


def test_what_happened_last_is_of_what_the_person_may_see(client_of: ClientOf, led: None) -> None:
    for slug, title in (("acme", "Ours"), ("globex", "Theirs")):
        row = pages_rows.application("echo", pages_rows.ECHO, title, slug=slug)
        pages_rows.moved(row, "service", "asleep", "waking", "1 execution waits.", 3)
        pages_rows.execution(row)
    said = text(client_of("member"), "activity")
    assert "Ours" in said and "Theirs" not in said and "1 execution waits." in said
    assert "Theirs" in text(staff(client_of), "activity")


def test_the_load_of_each_machine_is_told(client_of: ClientOf) -> None:
    row = pages_rows.application("echo", pages_rows.ECHO)
    runner = pages_rows.process(row, memory_mb=1024).runner
    Runner.objects.filter(pk=runner.pk).update(facts={**runner.facts, "applications_mb": 4096})
    Measure.objects.create(
        runner=runner, at=timezone.now(), busy_cpus=2.5, used_mb=1, admitted_mb=1, processes=1, waiting=0
    )
    said = text(client_of("member"), "load")
    assert "2.5 of 8 busy" in said and "1.0 GiB / 4.0 GiB" in said and "1 process of applications lives" in said


def test_the_first_steps_tick_themselves_and_go_when_all_are_done(client_of: ClientOf) -> None:
    example = makers.learning_application("water-flow")
    from ovd_saas.store.records import Lookout

    Lookout.objects.create(application=example, learns=True)
    author = client_of("author")
    ana = User.objects.get(username="author")
    assert "0 of 4 done" in text(author, "guide")
    assert author.get("/home/example/")["Location"] == "/applications/acme/water-flow/"
    assert "1 of 4 done" in text(author, "guide")
    pages_rows.execution(example, ana)
    assert "2 of 4 done" in text(author, "guide")
    makers.batch(example, created_by=ana)
    assert "3 of 4 done" in text(author, "guide")
    Release.objects.filter(application=example).update(created_by=ana)
    assert "3 of 4 done" in text(author, "guide"), "what comes with the platform was not published by them"
    Release.objects.filter(pk=makers.application("mine").release_id).update(created_by=ana)
    assert "First steps" not in text(author, "guide")


def test_the_first_steps_are_closed_for_good_and_can_be_opened_again(client_of: ClientOf) -> None:
    makers.application()
    member, other = client_of("member"), client_of("author")
    answer = member.post("/home/guide/", {"action": "close"}, headers={"Accept": "application/json"})
    assert answer.json()["undo"]["action"] == "open"
    assert "First steps" not in text(member, "guide") and "First steps" in text(other, "guide")
    member.post("/home/guide/", {"guide": "open"})
    assert "First steps" in text(member, "guide")
    assert "Publish your own" not in text(member, "guide") and "Publish your own" in text(other, "guide")


@pytest.mark.parametrize("is_staff", [False, True])
def test_many_applications_cost_as_many_questions_as_few(client_of: ClientOf, is_staff: bool) -> None:
    client = staff(client_of) if is_staff else client_of("owner")
    asked: list[int] = []
    for first in (0, 10):
        for number in range(first, first + 10):
            row = makers.learning_application(f"flow-{number}")
            candidate(row)
            pages_rows.execution(row)
            pages_rows.moved(row, "service", "asleep", "waking", "1 execution waits.", 3)
            broken: Any = makers.application(f"echo-{number}")
            Application.objects.filter(pk=broken.pk).update(health="faulty")
        client.get("/home/")
        with CaptureQueriesContext(connection) as seen:
            assert client.get("/home/").status_code == 200
        asked.append(len(seen))
    assert asked[0] == asked[1] < 35
