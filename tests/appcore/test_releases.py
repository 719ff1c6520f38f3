"""Releases: submit a pushed folder, put a ready one to use."""

import io
import tarfile
from datetime import UTC, datetime

import pytest

import makers
from ovd_saas.appcore import releases
from ovd_saas.files import store as files
from ovd_saas.store.records import Application, Release

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
pytestmark = pytest.mark.django_db


def archive(**contents: str) -> tuple[str, int]:
    """Digest and size of a tar.gz with these files (`a__b` is `a.b`)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in contents.items():
            member = tarfile.TarInfo(name.replace("__", "."))
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return files.put(buffer.getvalue()), len(buffer.getvalue())


def submit(name: str | None = None, **contents: str) -> Release:
    digest, size = archive(**contents)
    return releases.submit(
        organisation=makers.organisation(), name=name, digest=digest, size=size, by="user:ana", by_id=None, now=NOW
    )


def test_the_first_release_makes_the_application() -> None:
    release = submit(ovd__toml='name = "flow"\ntitle = "Flow"')
    assert (release.number, release.state, release.application.title) == (1, "building", "Flow")
    assert release.application.status == "draft"


def test_releases_are_numbered_per_application() -> None:
    submit(ovd__toml='name = "flow"')
    submit(ovd__toml='name = "other"')
    assert submit(ovd__toml='name = "flow"').number == 2


def test_an_address_that_disagrees_with_the_manifest_is_refused() -> None:
    with pytest.raises(releases.BadArchive, match="Make them agree"):
        submit("another", ovd__toml='name = "flow"')


@pytest.mark.parametrize(
    ("contents", "says"),
    [
        ({"app__py": ""}, "no ovd.toml"),
        ({"ovd__toml": "name = "}, "cannot be read"),
        ({"ovd__toml": 'title = "no name"'}, "gives no name"),
        ({"ovd__toml": 'name = ["flow"]'}, "gives no name"),
        ({"ovd__toml": 'name = "flow"\na = ' + "[" * 5000}, "nested too deeply|cannot be read"),
        ({"ovd__toml": 'name = "flow"\na = ' + "9" * 5000}, "cannot be read"),
        ({"ovd__toml": "#" * (releases.LARGEST_MANIFEST + 1)}, "more than 1 MiB"),
    ],
)
def test_a_bad_archive_is_refused_and_leaves_nothing(contents: dict[str, str], says: str) -> None:
    with pytest.raises(releases.BadArchive, match=says):
        submit(**contents)
    assert not Application.objects.exists()


def test_what_is_not_a_tar_gz_is_refused() -> None:
    digest = files.put(b"not an archive")
    with pytest.raises(releases.BadArchive, match=r"not a readable tar\.gz"):
        releases.submit(
            organisation=makers.organisation(), name=None, digest=digest, size=14, by="user:ana", by_id=None, now=NOW
        )


def test_the_first_ready_release_opens_a_draft() -> None:
    application = makers.draft()
    opened = releases.use(release=makers.release(application), by="user:ana", now=NOW)
    assert opened.status == "enabled" and opened.release is not None
    assert [t.region for t in opened.transitions.order_by("pk")] == ["release", "status"]


def test_a_suspended_application_stays_suspended_when_a_release_is_ready() -> None:
    application = makers.application()
    Application.objects.update(status="suspended")
    assert releases.use(release=makers.release(application, 2), by="user:ana", now=NOW).status == "suspended"


def test_only_a_ready_release_can_be_used() -> None:
    release = submit(ovd__toml='name = "flow"')
    with pytest.raises(releases.Unready):
        releases.use(release=release, by="user:ana", now=NOW)


def test_the_description_is_the_file_that_the_manifest_names() -> None:
    digest, _ = archive(README__md="# Flow", ovd__toml="")
    assert releases.description(digest, {"description": "README.md"}) == "# Flow"
    assert releases.description(digest, {"description": "missing.md"}) == ""
    assert releases.description(digest, {}) == ""


@pytest.mark.parametrize("title", ['["x"]', "5", '"' + "x" * 5000 + '"', '"a\\u0000b"'])
def test_a_title_that_no_row_can_hold_is_left_to_the_build_to_refuse(title: str) -> None:
    release = submit(ovd__toml=f'name = "flow"\ntitle = {title}\nsummary = {title}')
    assert release.state == "building" and len(release.application.title) <= 200


def test_a_withdrawn_release_cannot_be_made_current_until_it_is_restored() -> None:
    app = makers.application()
    old = makers.release(app, 2)
    releases.withdraw(release=old, reason=" it forgets a unit ", by="user:ana", now=NOW)
    assert (old.withdrawn_by, old.withdraw_reason) == ("user:ana", "it forgets a unit")
    with pytest.raises(releases.Unready, match=r"withdrawn by ana\. Restore it first"):
        releases.use(release=old, by="user:bo", now=NOW)
    with pytest.raises(releases.Unready, match="withdrawn already, by ana"):
        releases.withdraw(release=old, reason="", by="user:bo", now=NOW)
    releases.restore(release=old)
    assert releases.use(release=old, by="user:bo", now=NOW).release_id == old.pk
    with pytest.raises(releases.Unready, match="not withdrawn"):
        releases.restore(release=old)


def test_neither_the_current_release_nor_the_one_that_takes_over_can_be_withdrawn() -> None:
    app = makers.application()
    assert app.release is not None
    coming = makers.release(app, 2)
    Application.objects.filter(pk=app.pk).update(upcoming=coming)
    for release, says in ((app.release, "is the current one"), (coming, "takes over now")):
        with pytest.raises(releases.Unready, match=f"{says}. Make another one current"):
            releases.withdraw(release=release, reason="", by="user:ana", now=NOW)
        release.refresh_from_db()
        assert release.withdrawn_at is None


def test_only_a_failed_release_is_built_again_and_begins_a_new_log() -> None:
    release = submit(ovd__toml='name = "flow"')
    with pytest.raises(releases.Unready, match="is building; only a failed one"):
        releases.build_again(release=release)
    Release.objects.filter(pk=release.pk).update(state="failed", error="environment: no network", log="…", seconds=3)
    releases.build_again(release=release)
    assert (release.state, release.error, release.log, release.seconds) == ("building", "", "", None)


def test_asking_twice_for_a_check_is_one_check() -> None:
    app = makers.application()
    assert app.release is not None
    releases.check_again(release=app.release, by="user:ana", now=NOW)
    releases.check_again(release=app.release, by="user:bo", now=NOW)
    assert (app.release.check_asked_by, app.release.check_asked_at) == ("user:ana", NOW)
