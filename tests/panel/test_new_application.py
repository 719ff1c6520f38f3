"""A new application in the panel: from a folder, from a starter, by adoption."""

import io
import tarfile
from collections.abc import Callable

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

import makers
import pages_rows
from ovd_saas.appcore import releases
from ovd_saas.store.records import Application, Release
from pages_parsed import Page

ClientOf = Callable[..., Client]
NEW = "/applications/new/"
JSON = {"Accept": "application/json"}


def tar(manifest: str) -> SimpleUploadedFile:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        entry = tarfile.TarInfo("ovd.toml")
        entry.size = len(manifest.encode())
        archive.addfile(entry, io.BytesIO(manifest.encode()))
    return SimpleUploadedFile("folder.tar.gz", packed.getvalue())


@pytest.mark.parametrize("way", ["starter", "upload", "adopt"])
def test_each_way_has_a_page_for_authors_and_a_word_for_others(client_of: ClientOf, way: str) -> None:
    makers.application("echo")
    author, member = client_of("author"), client_of("member")
    assert "New application" in Page(author.get(f"{NEW}?way={way}").content.decode()).text
    assert "You are author in no organisation" in Page(member.get(f"{NEW}?way={way}").content.decode()).text


def test_a_starter_is_published_under_a_name_of_ones_own(client_of: ClientOf) -> None:
    asked = {"organisation": "acme", "starter": "new/python", "name": "our-own", "title": ""}
    answer = client_of("author").post(f"{NEW}starter/", asked, headers=JSON)
    assert answer.json()["location"] == "/applications/acme/our-own/releases/1/"
    assert Application.objects.get().address == "acme/our-own"


def test_a_folder_is_published_by_its_own_name(client_of: ClientOf) -> None:
    author = client_of("author")
    asked = {"organisation": "acme", "archive": tar('name = "flow"\ntitle = "Flow"')}
    assert author.post(f"{NEW}upload/", asked).headers["Location"] == "/applications/acme/flow/releases/1/"
    again = author.post(f"{NEW}upload/", {"organisation": "acme", "archive": tar('name = "flow"')}, headers=JSON)
    assert (again.status_code, again.json()["code"]) == (409, "name_taken")
    assert author.post(f"{NEW}upload/", {"organisation": "acme"}, headers=JSON).status_code == 422
    assert Release.objects.count() == 1


def test_adopting_opens_an_application_at_once(client_of: ClientOf) -> None:
    makers.application("water-flow")
    asked = {"organisation": "acme", "upstream": "acme/water-flow", "name": "our-flow"}
    answer = client_of("author").post(f"{NEW}adopt/", asked, headers=JSON)
    assert answer.json()["location"] == "/applications/acme/our-flow/"
    assert Application.objects.get(name="our-flow").status == "enabled"


def test_what_one_may_not_see_is_not_adopted_and_nothing_is_made_elsewhere(client_of: ClientOf) -> None:
    makers.application("secret", "elsewhere")
    makers.application("water-flow")
    author, member = client_of("author"), client_of("member")
    asked = {"organisation": "acme", "upstream": "elsewhere/secret", "name": "ours"}
    assert author.post(f"{NEW}adopt/", asked).status_code == 404
    asked = {"organisation": "elsewhere", "upstream": "acme/water-flow", "name": "ours"}
    assert author.post(f"{NEW}adopt/", asked).status_code == 404
    asked["organisation"] = "acme"
    assert member.post(f"{NEW}adopt/", asked).status_code == 403
    assert Application.objects.count() == 2


def test_a_later_release_of_the_upstream_is_offered_and_taken(client_of: ClientOf) -> None:
    upstream = pages_rows.application("water-flow", pages_rows.ECHO, "Water")
    author = client_of("author")
    author.post(f"{NEW}adopt/", {"organisation": "acme", "upstream": "acme/water-flow", "name": "ours"})
    page = "/applications/acme/ours/"
    assert "has release" not in Page(author.get(page).content.decode()).text
    releases.use(release=makers.release(upstream, 7), by="user:ana", now=upstream.since)
    text = Page(author.get(page).content.decode()).text
    assert "acme/water-flow has release 7." in text and "Use release 7" in text
    assert "Use release 7" not in Page(client_of("member").get(page).content.decode()).text
    assert client_of("member").post(f"{page}take/", {"number": "7"}).status_code == 403
    assert author.post(f"{page}take/", {"number": "6"}).status_code == 409
    assert author.post(f"{page}take/", {"number": "7"}).status_code == 302
    ours = Application.objects.select_related("release").get(name="ours")
    assert ours.release is not None and ours.release.digest == f"sha256:{7:064x}"
