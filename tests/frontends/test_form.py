"""The form made from a schema, filled and sent without JavaScript."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

import pages_rows
from ovd_saas.assets.form import headed, text_of
from ovd_saas.files import store as files
from ovd_saas.store.records import Application, Execution
from pages_parsed import Page

ClientOf = Callable[..., Client]


@pytest.fixture
def water(db: None) -> Application:
    return pages_rows.application("water-flow", pages_rows.WATER, "Water flow forecast")


@pytest.fixture
def lines(db: None) -> Application:
    return pages_rows.application("line-segments", pages_rows.LINES, "Line segments")


@pytest.mark.parametrize(
    ("typed", "csv"),
    [
        ("1\n2\n3", "value\n1\n2\n3"),
        ("1, 2, 3", "value\n1\n2\n3"),
        ("2022-01-01,1\n2022-01-02,2", "time,value\n2022-01-01,1\n2022-01-02,2"),
        ("2022-01-01\t1\n2022-01-02\t2", "time\tvalue\n2022-01-01\t1\n2022-01-02\t2"),
        ("time,value\n2022-01-01,1", "time,value\n2022-01-01,1"),
        ("[1, 2]", "[1, 2]"),
        ("", ""),
    ],
)
def test_typed_numbers_get_the_header_that_a_series_needs(typed: str, csv: str) -> None:
    assert headed(typed) == csv


def test_a_value_is_put_into_its_box_as_it_would_be_typed() -> None:
    assert text_of("series", [1, None]) == "value\n1\n"
    assert text_of("table", [{"a": 1, "b": 'x,"y"'}]) == 'a,b\n1,"x,""y"""'


def test_the_author_s_words_are_shown_without_raw_html(water: Application, client_of: ClientOf) -> None:
    html = client_of("member").get("/a/acme/water-flow/").content.decode()
    assert "<strong>coming hours</strong>" in html
    assert "<script>alert" not in html
    assert 'rel="noopener noreferrer nofollow"' in html


@pytest.mark.parametrize(
    ("states", "words"),
    [
        ({"service": "asleep"}, "Asleep; wakes when you press Run."),
        ({"service": "awake"}, "Awake: it runs at once."),
        ({"status": "suspended"}, "it takes no runs now"),
        ({"status": "retired"}, "it takes no runs any more"),
    ],
)
def test_before_run_it_says_what_will_happen(
    water: Application, client_of: ClientOf, states: dict[str, str], words: str
) -> None:
    Application.objects.filter(pk=water.pk).update(**states)
    page = client_of("member").get("/a/acme/water-flow/")
    assert words in Page(page.content.decode()).text
    assert page.context["outlook"]["can_run"] is ("status" not in states)


def test_the_last_waking_and_the_queue_are_told(water: Application, client_of: ClientOf) -> None:
    pages_rows.process(water, "ended")
    pages_rows.unfinished(water, pages_rows.person(), "queued")
    text = Page(client_of("member").get("/a/acme/water-flow/").content.decode()).text
    assert "The last time that took 0.4 s. 1 run waits before yours." in text


def only_execution() -> Execution:
    return Execution.objects.get()


def test_without_a_script_the_form_makes_an_execution(water: Application, client_of: ClientOf) -> None:
    member = client_of("member")
    answer = member.post(
        "/a/acme/water-flow/", {"history": "1\n2\n3", "horizon": "24", "level": "90", "threshold": "6.5"}
    )
    made = only_execution()
    assert (answer.status_code, answer["Location"]) == (302, f"/a/acme/water-flow/executions/{made.pk}/")
    assert made.inputs == {"history": {"times": [], "values": [1, 2, 3]}, "horizon": 24, "level": 90, "threshold": 6.5}
    assert (made.status, made.cause, isinstance(made.pk, UUID)) == ("queued", {"kind": "page"}, True)
    waiting = member.get(answer["Location"]).content.decode()
    assert '<noscript><meta http-equiv="refresh"' in waiting


def test_every_wrong_input_is_told_beside_its_field_and_nothing_is_lost(
    water: Application, client_of: ClientOf
) -> None:
    answer = client_of("member").post(
        "/a/acme/water-flow/",
        {"history": "time,value\nyesterday,1", "horizon": "999", "level": "abc", "threshold": "6.5"},
    )
    assert (answer.status_code, Execution.objects.count()) == (422, 0)
    fields = {field.name: field for field in answer.context["fields"]}
    assert "yesterday" in fields["history"].errors[0]
    assert fields["horizon"].errors
    assert fields["level"].errors
    assert not fields["threshold"].errors
    assert "yesterday,1" in answer.content.decode()


def test_a_picture_is_sent_and_kept(lines: Application, client_of: ClientOf) -> None:
    upload = SimpleUploadedFile("mine.png", pages_rows.png(), "image/png")
    client_of("member").post(
        "/a/acme/line-segments/", {"picture": upload, "detail": '"fine"', "shortest": "20", "thin": "on"}
    )
    inputs = only_execution().inputs
    assert files.read(inputs["picture"]["digest"]) == pages_rows.png()
    assert (inputs["picture"]["name"], inputs["picture"]["media_type"]) == ("mine.png", "image/png")
    assert (inputs["detail"], inputs["shortest"], inputs["thin"]) == ("fine", 20, True)


def test_a_text_sent_as_a_picture_is_refused(lines: Application, client_of: ClientOf) -> None:
    upload = SimpleUploadedFile("mine.png", b"just words", "image/png")
    answer = client_of("member").post(
        "/a/acme/line-segments/", {"picture": upload, "detail": '"fine"', "shortest": "20"}
    )
    assert answer.status_code == 422
    assert "is no image" in answer.content.decode()


def test_a_sample_fills_the_form_and_its_picture_comes_out_of_the_source(
    lines: Application, client_of: ClientOf
) -> None:
    member = client_of("member")
    page = member.get("/a/acme/line-segments/?sample=stairs")
    fields = {field.name: field for field in page.context["fields"]}
    assert fields["detail"].value == "fine"
    picture = member.get(fields["picture"].file.url)
    assert (picture["Content-Type"], picture.content) == ("image/png", pages_rows.png())
    member.post("/a/acme/line-segments/", {"picture:origin": "sample:stairs", "detail": '"fine"', "shortest": "20"})
    assert files.read(only_execution().inputs["picture"]["digest"]) == pages_rows.png()


@pytest.mark.parametrize("member_name", ["../etc/passwd", "samples/other.png"])
def test_a_sample_reaches_nothing_but_its_own_file(lines: Application, client_of: ClientOf, member_name: str) -> None:
    release: Any = lines.release
    release.schema["samples"][0]["inputs"]["picture"] = {"file": member_name}
    release.digest = pages_rows.source({"etc/passwd": b"root", "../etc/passwd": b"root", "samples/stairs.png": b"x"})
    release.save()
    place = "/a/acme/line-segments/samples/1/stairs/picture"
    assert client_of("member").get(place).status_code == 404


def test_an_earlier_run_fills_the_form_again_with_its_files(lines: Application, client_of: ClientOf) -> None:
    picture = pages_rows.stored("stairs.png", "image/png", pages_rows.png())
    earlier = pages_rows.execution(
        lines, inputs={"picture": picture, "detail": "coarse", "shortest": 3.5, "thin": False}
    )
    member = client_of("member")
    page = member.get(f"/a/acme/line-segments/?from={earlier.pk}")
    fields = {field.name: field for field in page.context["fields"]}
    assert (fields["detail"].value, fields["thin"].value, fields["picture"].file.name) == (
        "coarse",
        False,
        "stairs.png",
    )
    member.post(
        "/a/acme/line-segments/", {"picture:origin": f"execution:{earlier.pk}", "detail": '"fine"', "shortest": "20"}
    )
    assert Execution.objects.exclude(pk=earlier.pk).get().inputs["picture"] == picture


def test_a_file_of_a_foreign_execution_cannot_be_taken(lines: Application, client_of: ClientOf) -> None:
    foreign = pages_rows.application("line-segments", pages_rows.LINES, slug="elsewhere")
    picture = pages_rows.stored("secret.png", "image/png", pages_rows.png(8, 8))
    theirs = pages_rows.execution(foreign, inputs={"picture": picture})
    member = client_of("member")
    assert not member.get(f"/a/acme/line-segments/?from={theirs.pk}").context["origin"]
    answer = member.post("/a/acme/line-segments/", {"picture:origin": f"execution:{theirs.pk}", "detail": '"fine"'})
    assert answer.status_code == 422


def test_a_run_of_another_application_is_not_at_this_address(
    water: Application, lines: Application, client_of: ClientOf
) -> None:
    run = pages_rows.execution(water)
    member = client_of("member")
    assert member.get(f"/a/acme/water-flow/executions/{run.pk}/").status_code == 200
    assert member.get(f"/a/acme/line-segments/executions/{run.pk}/").status_code == 404


def test_an_application_without_a_release_says_so(db: None, client_of: ClientOf) -> None:
    import makers

    makers.draft("new")
    assert "Not open yet" in client_of("member").get("/a/acme/new/").content.decode()
