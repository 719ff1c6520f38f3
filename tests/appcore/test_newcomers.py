"""Newcomers and starters: a folder, or one of ours, becomes an application that was not there before."""

import tarfile
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest

import makers
from ovd_saas.appcore import applications, newcomers, releases, starters
from ovd_saas.appcore.refusals import NotFound
from ovd_saas.files import Stored
from ovd_saas.files import store as files
from ovd_saas.store.records import Application, Release

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
pytestmark = pytest.mark.django_db


def publish(archive: Stored) -> Release:
    return newcomers.publish(organisation=makers.organisation(), archive=archive, by="user:ana", by_id=None, now=NOW)


def contents(archive: Stored) -> dict[str, bytes]:
    with files.open(archive.digest) as opened, tarfile.open(fileobj=opened, mode="r:gz") as tar:
        return {member.name: file.read() for member in tar if member.isfile() and (file := tar.extractfile(member))}


@pytest.mark.parametrize("starter", starters.all_(), ids=lambda one: one.key)
def test_each_starter_becomes_an_application_of_the_name_that_was_given(starter: starters.Starter) -> None:
    archive = starters.pack(starter, name="our-own", title='Our "own"')
    assert archive == starters.pack(starter, name="our-own", title='Our "own"')
    found = contents(archive)
    manifest = tomllib.loads(found["ovd.toml"].decode())
    assert (manifest["name"], manifest["title"]) == ("our-own", "Our  own ")
    assert "requirements.lock" in found and not [name for name in found if "__pycache__" in name]
    assert not [name for name, content in found.items() if b"{{name}}" in content]
    release = publish(archive)
    assert (release.application.address, release.state, release.number) == ("acme/our-own", "building", 1)


def test_programs_keep_that_they_can_be_started(tmp_path: Path) -> None:
    (tmp_path / "ovd.toml").write_text('name = "theirs"')
    (tmp_path / "run.sh").write_text("#!/bin/sh")
    (tmp_path / "run.sh").chmod(0o755)
    archive = starters.pack(starters.Starter("example/theirs", tmp_path, "", "", False, True), name="our-own")
    with files.open(archive.digest) as opened, tarfile.open(fileobj=opened, mode="r:gz") as tar:
        assert {member.name: member.mode for member in tar} == {"ovd.toml": 0o644, "run.sh": 0o755}


def test_a_starter_that_there_is_not_is_told() -> None:
    with pytest.raises(NotFound):
        starters.by_key("new/../../etc")


def test_it_never_becomes_a_release_of_what_is_there() -> None:
    makers.application("our-own")
    archive = starters.pack(starters.by_key("new/python"), name="our-own")
    with pytest.raises(applications.NameTaken, match="ovd push"):
        publish(archive)
    assert Release.objects.count() == 1


def test_what_is_no_archive_makes_nothing() -> None:
    data = b"no tar at all"
    with pytest.raises(releases.BadArchive):
        publish(Stored(files.put(data), len(data)))
    assert not Application.objects.exists()
