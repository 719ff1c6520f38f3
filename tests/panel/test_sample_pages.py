"""Samples and collections: what the pages show and do, what visitors are offered, and who may."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

import makers
import pages_parsed
import pages_rows
from ovd_saas.appcore import samples as verbs
from ovd_saas.store.queries import loose_files
from ovd_saas.store.records import Application, Collection, LooseFile, Release, Sample

ClientOf = Callable[..., Client]
AS_SCRIPT = {"accept": "application/json"}
LINES, ECHO = "/applications/acme/lines/", "/applications/acme/echo/"
TAB = LINES + "?tab=samples"


@pytest.fixture
def lines(db: None) -> Application:
    """Takes a picture and more."""
    return pages_rows.application("lines", pages_rows.LINES, "Line segments")


@pytest.fixture
def echo(db: None) -> Application:
    return pages_rows.application("echo", pages_rows.ECHO, "Echo")


def picture(name: str = "river_thames-2.png") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, pages_rows.png(), content_type="image/png")


def added(place: Application | Collection, title: str, **inputs: Any) -> Sample:
    return verbs.add(place=place, title=title, inputs=inputs, by_id=None, now=timezone.now())


def collection(title: str = "Streets") -> Collection:
    return verbs.collect(organisation=makers.organisation(), title=title, by_id=None, now=timezone.now())


def text(client: Client, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status, path
    return str(pages_parsed.Page(answer.content.decode()).text)


def titles(place: Application) -> list[str]:
    return list(
        Sample.objects.filter(application=place, removed_at=None).order_by("position").values_list("title", flat=True)
    )


def test_an_empty_tab_teaches_the_next_step(lines: Application, client_of: ClientOf) -> None:
    assert "None was added yet" in text(client_of("author"), TAB)
    assert "Each file becomes a sample" in text(client_of("author"), TAB)
    said = text(client_of("member"), TAB)
    assert "Stairs" in said and "OVD-SaaS · CC0-1.0" in said  # brought by the release
    assert "Each file becomes a sample" not in said


def test_files_become_samples_and_what_does_not_fit_is_told(lines: Application, client_of: ClientOf) -> None:
    wrong = SimpleUploadedFile("notes.png", b"no picture at all", content_type="image/png")
    form = {"files": [picture(), wrong, picture("tower.png")], "credit": "Ana", "licence": "CC0-1.0"}
    answer = client_of("author").post(LINES + "samples/upload/", form, headers=AS_SCRIPT).json()
    assert answer["made"] == 2
    assert [(one["name"], "is no image" in one["why"]) for one in answer["refused"]] == [("notes.png", True)]
    assert titles(lines) == ["River thames 2", "Tower"]
    row = Sample.objects.get(title="Tower")
    assert (row.credit, row.licence, row.inputs["picture"]["media_type"]) == ("Ana", "CC0-1.0", "image/png")
    assert LooseFile.objects.count() == 1  # what was refused is not kept


def test_without_a_script_the_refused_files_are_named_on_a_page(lines: Application, client_of: ClientOf) -> None:
    wrong = SimpleUploadedFile("notes.png", b"no picture at all", content_type="image/png")
    answer = client_of("author").post(LINES + "samples/upload/", {"files": [wrong]})
    assert answer.status_code == 422
    assert "notes.png" in answer.content.decode()


def test_a_sample_is_filled_in_by_the_form_and_checked(echo: Application, client_of: ClientOf) -> None:
    author = client_of("author")
    assert "Message" in text(author, ECHO + "samples/new/")
    form = {"about:title": "Loud", "about:credit": "Ana", "about:licence": "", "message": "HELLO", "times": "99"}
    refused = author.post(ECHO + "samples/new/", form)
    assert refused.status_code == 422
    assert 'value="HELLO"' in refused.content.decode()  # nothing has to be typed twice
    assert author.post(ECHO + "samples/new/", {**form, "times": "3"})["Location"] == ECHO + "?tab=samples"
    row = Sample.objects.get()
    assert (row.title, row.inputs) == ("Loud", {"message": "HELLO", "times": 3})
    author.post(f"/sample/{row.pk}/", {**form, "times": "4", "about:title": "Louder"})
    row.refresh_from_db()
    assert (row.title, row.inputs["times"]) == ("Louder", 4)
    untitled = author.post(f"/sample/{row.pk}/", {**form, "times": "4", "about:title": " "})
    assert (untitled.status_code, "is empty" in untitled.content.decode()) == (422, True)


def test_a_picture_stays_when_the_rest_of_its_sample_is_edited(lines: Application, client_of: ClientOf) -> None:
    row = added(lines, "Tower", picture=pages_rows.stored("tower.png", "image/png", pages_rows.png()))
    form = {"about:title": "Tower", "picture:origin": f"own:{row.pk}", "detail": '"fine"', "shortest": "20"}
    assert client_of("author").post(f"/sample/{row.pk}/", form).status_code == 302
    row.refresh_from_db()
    assert (row.inputs["picture"]["name"], row.inputs["detail"]) == ("tower.png", "fine")


def test_order_removal_and_undo(echo: Application, client_of: ClientOf) -> None:
    author = client_of("author")
    rows = [added(echo, title, message=title) for title in ("one", "two", "three")]
    author.post(f"/sample/{rows[2].pk}/actions/", {"action": "up"}, headers=AS_SCRIPT)
    assert titles(echo) == ["one", "three", "two"]
    author.post(ECHO + "samples/order/", {"id": [rows[1].pk, rows[0].pk]}, headers=AS_SCRIPT)
    assert titles(echo) == ["two", "one", "three"]
    answer = author.post(f"/sample/{rows[0].pk}/actions/", {"action": "remove"}, headers=AS_SCRIPT).json()
    assert titles(echo) == ["two", "three"]
    again = author.post(f"/sample/{rows[0].pk}/actions/", {"action": "remove"}, headers=AS_SCRIPT)
    assert (again.status_code, again.json()["detail"]) == (409, "This sample was removed already.")
    author.post(answer["undo"]["url"], {"action": answer["undo"]["action"]}, headers=AS_SCRIPT)
    assert titles(echo) == ["two", "one", "three"]


def test_files_of_samples_are_kept_until_the_sample_is_gone_for_good(lines: Application) -> None:
    about = pages_rows.stored("tower.png", "image/png", pages_rows.png())
    row = added(lines, "Tower", picture=about)
    assert loose_files.in_use([about["digest"]]) == {about["digest"]}
    now = timezone.now()
    verbs.remove(sample=row, now=now)
    verbs.sweep(now=now + timedelta(minutes=30))
    assert loose_files.in_use([about["digest"]]) == {about["digest"]}  # it may come back
    verbs.sweep(now=now + timedelta(hours=2))
    assert loose_files.in_use([about["digest"]]) == set()
    assert LooseFile.objects.filter(digest=about["digest"]).exists()


def test_visitors_are_offered_what_fits(lines: Application, echo: Application, client_of: ClientOf) -> None:
    about = pages_rows.stored("tower.png", "image/png", pages_rows.png())
    own = added(lines, "Own tower", picture=about, detail="fine")
    streets = collection()
    shared = added(streets, "Shared tower", file=about)
    added(streets, "A word", message="hello")
    for application in (lines, echo):
        verbs.link(collection=streets, application=application)
    member = client_of("member")
    said = text(member, "/a/acme/lines/")
    assert "Stairs" in said and "Own tower" in said and "Shared tower" in said and "A word" not in said
    assert "Shared tower" not in text(member, "/a/acme/echo/")
    assert (
        'value="hello"' in member.get(f"/a/acme/echo/?sample=@{Sample.objects.get(title='A word').pk}").content.decode()
    )
    filled = member.get(f"/a/acme/lines/?sample=@{shared.pk}").content.decode()
    assert f'value="own:{shared.pk}"' in filled and f"/sample/{shared.pk}/files/{about['digest']}" in filled
    sent = member.post("/a/acme/lines/", {"picture:origin": f"own:{own.pk}", "detail": '"fine"', "shortest": "12"})
    assert sent.status_code == 302
    assert lines.executions.get().inputs["picture"]["digest"] == about["digest"]


def test_a_sample_that_fits_no_more_is_told_and_not_offered(echo: Application, client_of: ClientOf) -> None:
    row = added(echo, "Loud", message="HELLO", times=9)
    assert echo.release is not None
    schema = pages_rows.schema({"words": pages_rows.prop("text", 0, title="Words")}, {}, ["words"], [])
    Release.objects.filter(pk=echo.release.pk).update(schema=schema)
    assert "It does not fit the inputs of the current release" in text(client_of("member"), ECHO + "?tab=samples")
    assert "Loud" not in text(client_of("member"), "/a/acme/echo/")
    assert "Fill it in anew" in text(client_of("author"), f"/sample/{row.pk}/")


def test_what_a_visitor_must_fill_in_is_said(lines: Application, client_of: ClientOf) -> None:
    added(lines, "Only settings", detail="fine")
    assert "The visitor fills in: Picture" in text(client_of("member"), TAB)


def test_a_collection_is_made_filled_linked_and_removed(
    lines: Application, echo: Application, client_of: ClientOf
) -> None:
    author = client_of("author")
    assert "No collection yet" in text(author, "/samples/")
    made = author.post("/samples/", {"title": "Streets of Paris", "organisation": "acme"}, headers=AS_SCRIPT).json()
    place = made["location"]
    assert place == "/samples/acme/streets-of-paris/"
    twice = author.post("/samples/", {"title": "Streets of Paris", "organisation": "acme"}, headers=AS_SCRIPT)
    assert (twice.status_code, "Choose another title" in twice.json()["detail"]) == (409, True)
    author.post(place + "upload/", {"files": [picture("rue.png")]}, headers=AS_SCRIPT)
    author.post(place + "actions/", {"action": "link", "application": "lines"}, headers=AS_SCRIPT)
    assert "Rue" in text(author, place) and "Line segments" in text(author, place)
    assert "Streets of Paris" in text(author, TAB) and "Rue" in text(author, TAB)
    refused = author.post(place + "actions/", {"action": "discard"}, headers=AS_SCRIPT)
    assert (refused.status_code, "Unlink it" in refused.json()["detail"]) == (422, True)
    undo = author.post(place + "actions/", {"action": "unlink", "application": "lines"}, headers=AS_SCRIPT).json()[
        "undo"
    ]
    author.post(undo["url"], {"action": undo["action"]}, headers=AS_SCRIPT)
    assert lines.collections.count() == 1
    author.post(place + "actions/", {"action": "unlink", "application": "lines"}, headers=AS_SCRIPT)
    author.post(place + "actions/", {"action": "rename", "title": "Roads"}, headers=AS_SCRIPT)
    assert "Roads" in text(author, "/samples/")
    author.post(place + "actions/", {"action": "discard"}, headers=AS_SCRIPT)
    assert not Collection.objects.exists() and not Sample.objects.exists()


def test_a_shared_sample_is_edited_by_the_form_of_an_application_that_offers_it(
    lines: Application, client_of: ClientOf
) -> None:
    streets = collection()
    row = added(streets, "Rue", file=pages_rows.stored("rue.png", "image/png", pages_rows.png()))
    author = client_of("author")
    assert "Link the collection to an application" in text(author, f"/sample/{row.pk}/")
    author.post(f"/sample/{row.pk}/", {"about:title": "Rue de la Paix"})
    row.refresh_from_db()
    assert (row.title, row.inputs["file"]["name"]) == ("Rue de la Paix", "rue.png")
    verbs.link(collection=streets, application=lines)
    assert "by the form of Line segments" in text(author, f"/sample/{row.pk}/")


def test_another_organisations_collection_is_not_there_to_be_linked(lines: Application, client_of: ClientOf) -> None:
    other = verbs.collect(organisation=makers.organisation("other"), title="Theirs", by_id=None, now=timezone.now())
    author = client_of("author")
    assert author.get("/samples/other/theirs/").status_code == 404
    assert "Theirs" not in text(author, "/samples/")
    assert author.post("/samples/", {"title": "Mine", "organisation": "other"}).status_code == 404
    with pytest.raises(verbs.BadSample, match="its own organisation only"):
        verbs.link(collection=other, application=lines)


def test_who_may(lines: Application, client_of: ClientOf) -> None:
    streets = collection()
    row = added(streets, "Rue", file=pages_rows.stored("rue.png", "image/png", pages_rows.png()))
    digest = row.inputs["file"]["digest"]
    posts = (
        f"/sample/{row.pk}/", f"/sample/{row.pk}/actions/", LINES + "samples/new/", LINES + "samples/upload/",
        LINES + "samples/order/", "/samples/acme/streets/actions/", "/samples/acme/streets/upload/",
        "/samples/acme/streets/order/", "/samples/acme/streets/links/lines/",
    )  # fmt: skip
    for role, status in (("member", 403), ("operator", 403), (None, 404)):
        for path in posts:
            assert client_of(role).post(path, {"action": "remove"}).status_code == status, (role, path)
    assert client_of("member").get(f"/sample/{row.pk}/files/{digest}")["Content-Type"] == "image/png"
    assert client_of(None).get(f"/sample/{row.pk}/files/{digest}").status_code == 404
    assert client_of("member").get(f"/sample/{row.pk}/files/sha256:{'0' * 64}").status_code == 404


def test_the_number_of_queries_does_not_depend_on_how_many_samples_there_are(
    lines: Application, client_of: ClientOf
) -> None:
    streets = collection()
    verbs.link(collection=streets, application=lines)
    member = client_of("member")

    def fill(count: int) -> None:
        for number in range(count):
            about = pages_rows.stored(f"{number}.png", "image/png", pages_rows.png())
            added(lines, f"own {number}", picture=about)
            added(streets, f"shared {number}", file=about)

    def queries(path: str) -> int:
        member.get(path)
        with CaptureQueriesContext(connection) as counted:
            assert member.get(path).status_code == 200
        return len(counted)

    fill(2)
    paths = [TAB, "/samples/", "/samples/acme/streets/", "/a/acme/lines/"]
    before = [queries(path) for path in paths]
    fill(20)
    assert [queries(path) for path in paths] == before
    assert max(before) <= 20
