"""Releases through the API: pushing a folder, following its build."""

import asyncio
import hashlib
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from asgiref.sync import sync_to_async
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

import makers
from api.listening import Listener
from api.reading import problem
from ovd_saas.api import uploads
from ovd_saas.api.v1 import releases
from ovd_saas.appcore import samples
from ovd_saas.files import store
from ovd_saas.store import transitions
from ovd_saas.store.notices import notify
from ovd_saas.store.records import Application, Release

A = "/api/v1/applications/acme/echo"
LOG = f"{A}/releases/2/log"


def archive(name: str = "echo", **files: str) -> SimpleUploadedFile:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for path, text in {"ovd.toml": f'name = "{name}"\ntitle = "Echo"\n', **files}.items():
            member = tarfile.TarInfo(path)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return SimpleUploadedFile("folder.tar.gz", buffer.getvalue(), "application/gzip")


def incoming(settings: object) -> list[Path]:
    return list((Path(settings.FILES) / "incoming").glob("*"))  # type: ignore[attr-defined]


def test_a_push_is_stored_and_building(owner: Client, echo: Application) -> None:
    answer = owner.post(f"{A}/releases", {"archive": archive()})
    assert answer.status_code == 202
    found = answer.json()
    assert (found["number"], found["status"], found["log"], found["schema"]) == (2, "building", "", None)
    assert answer["Location"] == f"{A}/releases/2" == found["url"]
    assert store.size(found["digest"]) == found["size"]
    assert owner.get(found["url"]).json() == found
    assert owner.get(A).json()["release"] == 1


def test_a_push_makes_a_new_application(owner: Client) -> None:
    assert owner.post("/api/v1/applications/acme/fresh/releases", {"archive": archive("fresh")}).status_code == 202
    assert owner.get("/api/v1/applications/acme/fresh").json()["status"] == "draft"


def test_a_name_that_disagrees_with_the_manifest_is_refused(owner: Client, echo: Application) -> None:
    found = problem(owner.post(f"{A}/releases", {"archive": archive("other")}), 422, "bad_archive")
    assert "'other'" in found["detail"]


def test_what_is_no_archive_is_refused(owner: Client, echo: Application) -> None:
    wrong = SimpleUploadedFile("folder.tar.gz", b"hello")
    problem(owner.post(f"{A}/releases", {"archive": wrong}), 422, "bad_archive")
    assert echo.releases.count() == 1


def test_the_part_must_be_there_once_and_alone(owner: Client, echo: Application) -> None:
    for parts in ({}, {"archive": "text"}, {"archive": [archive(), archive()]}):
        found = problem(owner.post(f"{A}/releases", parts), 422, "invalid")
        assert [error["field"] for error in found["errors"]] == ["archive"]
    found = problem(owner.post(f"{A}/releases", {"archive": archive(), "colour": "red"}), 422, "invalid")
    assert [error["field"] for error in found["errors"]] == ["colour"]


def test_a_body_that_is_no_multipart_is_refused(owner: Client, echo: Application) -> None:
    problem(owner.post(f"{A}/releases", b"\x1f\x8b", content_type="application/gzip"), 422, "invalid")
    broken = owner.post(f"{A}/releases", b"--x\r\nbroken", content_type="multipart/form-data; boundary=")
    problem(broken, 400, "bad_request")


def test_an_archive_over_the_limit_is_413_and_leaves_nothing(
    owner: Client, echo: Application, settings: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "LARGEST", 100)
    problem(owner.post(f"{A}/releases", {"archive": archive(**{"app.py": "x = 1\n" * 100})}), 413, "too_large")
    assert incoming(settings) == []


def test_who_may_not_push_stores_nothing(client_of: Callable[..., Client], echo: Application) -> None:
    upload = archive()
    problem(client_of("member").post(f"{A}/releases", {"archive": upload}), 403, "forbidden")
    upload.seek(0)
    digest = store.put(b"other")
    assert store.exists(digest)
    assert not store.exists("sha256:" + hashlib.sha256(upload.read()).hexdigest())


def test_a_browser_session_pushes_too(echo: Application) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(makers.user("ana"))
    browser.get("/api/v1/docs")
    secret = browser.cookies["csrftoken"].value
    answer = browser.post(f"{A}/releases", {"archive": archive()}, headers={"X-CSRFToken": secret})
    assert answer.status_code == 202


def test_releases_are_listed_newest_first_without_logs(owner: Client, echo: Application) -> None:
    owner.post(f"{A}/releases", {"archive": archive()})
    page = owner.get(f"{A}/releases", {"limit": 1}).json()
    assert [row["number"] for row in page["items"]] == [2]
    assert "log" not in page["items"][0]
    rest = owner.get(f"{A}/releases", {"cursor": page["next"]}).json()
    assert [(row["number"], row["is_current"]) for row in rest["items"]] == [(1, True)]
    assert rest["next"] is None


def test_a_ready_release_shows_its_schema(owner: Client, echo: Application) -> None:
    found = owner.get(f"{A}/releases/1").json()
    assert found["status"] == "ready"
    assert found["schema"]["inputs"]["required"] == ["text"]


def test_a_release_that_is_not_there_is_404(owner: Client, echo: Application) -> None:
    for number in (9, 10**30):
        problem(owner.get(f"{A}/releases/{number}"), 404, "not_found")


def built(application: Application, log: str, state: str = "failed") -> Release:
    return Release.objects.create(
        application=application, number=2, digest="sha256:" + "2" * 64, log=log, state=state, error="samples: no"
    )


async def test_the_log_of_a_build_that_is_over_is_a_stream_with_an_end(listener: Listener, echo: Application) -> None:
    await sync_to_async(built)(echo, "Resolving\nInstalling\n")
    log, done = await listener.all(LOG)
    assert (log.kind, log.body) == ("log", {"text": "Resolving\nInstalling\n"})
    assert (done.kind, done.body) == ("done", {"status": "failed", "error": "samples: no"})
    assert log.id < done.id


@pytest.mark.parametrize("cut", range(22))
def test_a_build_log_resumes_anywhere_without_gap_or_double(echo: Application, cut: int) -> None:
    text = "Resolving\nInstalling\n"
    release = built(echo, text[:cut], "building")
    first = releases.news(release.pk, 0)
    last = first.events[-1].id if first.events else 0
    Release.objects.filter(pk=release.pk).update(log=text, state="failed")
    rest = releases.news(release.pk, last)
    told = [event.body["text"] for event in (*first.events, *rest.events) if event.kind == "log"]
    assert "".join(told) == text
    assert rest.events[-1].kind == "done"
    assert releases.news(release.pk, rest.events[-1].id).events == []


async def test_a_build_log_that_was_read_to_its_end_is_204(listener: Listener, echo: Application) -> None:
    await sync_to_async(built)(echo, "Resolving\n")
    last = (await listener.all(LOG))[-1].id
    assert (await listener.get(LOG, last)).status_code == 204


async def test_a_build_is_followed_live(listener: Listener, echo: Application) -> None:
    release = await sync_to_async(built)(echo, "", "building")

    def build() -> None:
        Release.objects.filter(pk=release.pk).update(log="Resolving\n")
        notify("release", id=release.pk, application=echo.pk)

    async with asyncio.timeout(20):
        stream = listener.follow(LOG)
        waiting = asyncio.create_task(anext(stream))
        await asyncio.sleep(0)
        await sync_to_async(build)()
        assert (await waiting).body == {"text": "Resolving\n"}
        await sync_to_async(transitions.release)(release.pk, "succeed", ready_at=timezone.now())
        assert [event.kind async for event in stream] == ["done"]


def test_two_releases_are_compared_in_words(owner: Client, echo: Application) -> None:
    owner.post(f"{A}/releases", {"archive": archive(**{"requirements.lock": "six==1.16.0\n", "a.py": "1"})})
    owner.post(f"{A}/releases", {"archive": archive(**{"requirements.lock": "six==1.17.0\n"})})
    found = owner.get(f"{A}/releases/3/changes", {"against": 2}).json()
    assert found["packages"] == [{"kind": "changed", "what": "six", "detail": "1.16.0 → 1.17.0"}]
    assert [(one["kind"], one["what"]) for one in found["files"]] == [
        ("removed", "a.py"), ("changed", "requirements.lock"),
    ]  # fmt: skip
    problem(owner.get(f"{A}/releases/3/changes", {"against": 9}), 404, "not_found")
    problem(owner.get(f"{A}/releases/3/changes", {"against": 10**12}), 422, "invalid")
    problem(owner.get(f"{A}/releases/1/changes", {"against": 3}), 422, "unreadable_archive")  # its bytes are nowhere


def test_a_release_is_withdrawn_restored_and_made_current(owner: Client, echo: Application) -> None:
    makers.release(echo, 2)
    assert owner.post(f"{A}/releases/2/actions/withdraw").json()["withdrawn_at"] is not None
    problem(owner.post(f"{A}/releases/2/actions/use"), 409, "release_not_ready")
    assert owner.post(f"{A}/releases/2/actions/restore").json()["withdrawn_at"] is None
    assert owner.post(f"{A}/releases/2/actions/use").json()["is_current"] is True
    problem(owner.post(f"{A}/releases/2/actions/build"), 409, "release_not_ready")
    assert owner.post(f"{A}/releases/2/actions/check").status_code == 200


def test_samples_are_those_that_a_visitor_is_offered(owner: Client, echo: Application) -> None:
    now = timezone.now()
    samples.add(place=echo, title="Loud", inputs={"text": "HELLO"}, credit="Ana", by_id=None, now=now)
    samples.add(place=echo, title="Odd", inputs={"nothing": 1}, by_id=None, now=now)
    [found] = owner.get(f"{A}/samples").json()["items"]
    assert found.pop("key").startswith("@")
    assert found == {
        "title": "Loud", "credit": "Ana", "licence": "", "inputs": {"text": "HELLO"}, "origin": "application"
    }  # fmt: skip
