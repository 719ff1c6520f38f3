"""Sources: each file is pulled once, on a schedule or when asked, and only from where it is allowed."""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fsspec
import pytest

import makers
from ovd_saas.appcore import sources
from ovd_saas.appcore.loops.sourcing import Sourcing
from ovd_saas.store.records import Application, Batch, Release, SourceFile

pytestmark = pytest.mark.django_db
NIGHT = datetime(2026, 3, 1, 2, 59, tzinfo=UTC)
GOOD = '{"flow": 1, "at": "2022-03-01"}\n'
Pull = Callable[..., int]


@pytest.fixture(autouse=True)
def own_home(settings: Any, tmp_path: Path) -> None:
    settings.FILES = str(tmp_path / "files")
    settings.HOME = tmp_path
    settings.SOURCES = []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What the address `incoming` means for acme/flow."""
    made = tmp_path / "sources" / "acme" / "flow" / "incoming"
    made.mkdir(parents=True)
    return made


def learner(address: str = "incoming", *, staff: bool = False, **also: Any) -> Application:
    application = makers.learning_application(sources=[{"address": address, **also}])
    person = makers.user("pusher")
    person.is_staff = staff
    person.save()
    Release.objects.update(created_by=person)
    return Application.objects.select_related("organisation", "release__created_by").get(pk=application.pk)


def pull(application: Application) -> int:
    (source,) = sources.declared(application)
    return sources.pull(application=application, source=source, clock=lambda: NIGHT)


def trouble() -> dict[str, str]:
    return dict(SourceFile.objects.exclude(error="").values_list("path", "error"))


def test_each_file_is_pulled_once_whatever_its_format(folder: Path) -> None:
    application = learner()
    (folder / "a.jsonl").write_text(GOOD)
    (folder / "deep").mkdir()
    (folder / "deep" / "b.csv").write_text("flow,at\n2,2022-03-01\n")
    (folder / "c.json").write_text('[{"flow": 3, "at": "2022-03-01"}]')
    assert pull(application) == 3
    assert pull(application) == 0
    rows = {row.path: row.batch.origin for row in SourceFile.objects.select_related("batch") if row.batch}
    assert rows == {path: {"source": "incoming", "path": path} for path in ("a.jsonl", "deep/b.csv", "c.json")}
    assert set(Batch.objects.values_list("kind", "caller")) == {("source", "appcore")}
    (folder / "a.jsonl").write_text(GOOD * 2)
    assert pull(application) == 0


def test_hidden_and_unfinished_files_and_links_are_left_alone(folder: Path, tmp_path: Path) -> None:
    application = learner()
    for name in (".hidden.jsonl", "a.jsonl.part", "b.jsonl.tmp"):
        (folder / name).write_text(GOOD)
    (folder / ".git").mkdir()
    (folder / ".git" / "c.jsonl").write_text(GOOD)
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "d.jsonl").write_text(GOOD)
    (folder / "link.jsonl").symlink_to(tmp_path / "secret" / "d.jsonl")
    (folder / "links").symlink_to(tmp_path / "secret")
    os.mkfifo(folder / "pipe.jsonl")
    assert pull(application) == 0
    assert not SourceFile.objects.exists()


def test_a_link_that_takes_the_place_of_a_listed_file_is_not_followed(folder: Path, tmp_path: Path) -> None:
    application = learner()
    (tmp_path / "secret.jsonl").write_text(GOOD)
    (folder / "a.jsonl").symlink_to(tmp_path / "secret.jsonl")
    (source,) = sources.declared(application)
    with pytest.raises(OSError):
        sources.place(application, source).open("a.jsonl")
    (folder / "sub").symlink_to(tmp_path)
    with pytest.raises(OSError):
        sources.place(application, source).open("sub/secret.jsonl")


def test_a_broken_file_says_why_and_is_tried_again_when_it_has_changed(folder: Path) -> None:
    application = learner()
    file = folder / "a.jsonl"
    file.write_text(GOOD + '{"flow": "x"}')
    assert pull(application) == 0
    assert "line 2: flow: must be a number" in trouble()["a.jsonl"]
    SourceFile.objects.update(error="kept")
    assert pull(application) == 0 and trouble() == {"a.jsonl": "kept"}
    file.write_text(GOOD * 3)
    assert pull(application) == 1 and trouble() == {}


def test_only_files_whose_names_fit_are_meant(folder: Path) -> None:
    (folder / "a.csv").write_text("flow,at\n2,2022-03-01\n")
    (folder / "b.txt").write_text("notes")
    assert pull(learner(pattern="*.csv")) == 1 and trouble() == {}
    Release.objects.update(manifest={"learn": {"sources": [{"address": "incoming"}]}})
    application = Application.objects.select_related("organisation", "release__created_by").get()
    pull(application)
    assert "Name the files that are meant" in trouble()["b.txt"]


def test_the_same_samples_in_two_files_are_one_batch(folder: Path) -> None:
    for name in ("a.jsonl", "b.jsonl"):
        (folder / name).write_text(GOOD)
    assert pull(learner()) == 1
    assert SourceFile.objects.filter(batch=Batch.objects.get()).count() == 2


@pytest.mark.parametrize(
    "address", ["../other", "/etc", "file:///etc", "s3://secret/x", "memory://x", "simplecache::s3://a/b"]
)
def test_an_address_beyond_the_walls_is_refused_with_how_to_allow_it(tmp_path: Path, address: str) -> None:
    assert pull(learner(address)) == 0
    assert trouble()[""]
    if not address.startswith(".."):
        assert "OVD_SOURCES" in trouble()[""] and "staff" in trouble()[""]


@pytest.mark.parametrize(
    ("prefixes", "address", "is_allowed"),
    [
        (["{tmp}/data"], "{tmp}/data/x", True),
        (["{tmp}/data"], "{tmp}/data", True),
        (["{tmp}/data"], "{tmp}/database", False),
        (["{tmp}/data"], "{tmp}/data/../secret", False),
        (["{tmp}/data"], "{tmp}/data/link", False),
        (["memory://ours"], "memory://ours/x", True),
        (["memory://ours"], "memory://ours-not/x", False),
        (["memory://ours/"], "memory://ours/../x", False),
    ],
)
def test_operators_allow_prefixes(
    settings: Any, tmp_path: Path, prefixes: list[str], address: str, is_allowed: bool
) -> None:
    for name in ("data/x", "database", "secret"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "data" / "link").symlink_to(tmp_path / "secret")
    settings.SOURCES = [prefix.format(tmp=tmp_path) for prefix in prefixes]
    application = learner(address.format(tmp=tmp_path))
    (source,) = sources.declared(application)
    if is_allowed:
        sources.place(application, source)
    else:
        with pytest.raises(sources.NotAllowed):
            sources.place(application, source)


def test_what_staff_push_may_be_anywhere_that_fsspec_reaches() -> None:
    remote = fsspec.filesystem("memory")
    remote.pipe("/bucket/deep/a.jsonl", GOOD.encode())
    remote.pipe("/bucket/.b.jsonl", GOOD.encode())
    application = learner("memory://bucket", staff=True)
    assert pull(application) == 1 and trouble() == {}
    assert SourceFile.objects.get().path == "deep/a.jsonl"
    remote.pipe("/bucket/c.jsonl", b"broken")
    assert pull(application) == 0 and "c.jsonl" in trouble()
    remote.rm("/bucket", recursive=True)


def test_a_place_that_is_not_there_is_told_and_tried_again(tmp_path: Path) -> None:
    application = learner("later")
    assert pull(application) == 0
    assert "No such file" in trouble()[""]
    (tmp_path / "sources" / "acme" / "flow" / "later").mkdir(parents=True)
    (tmp_path / "sources" / "acme" / "flow" / "later" / "a.jsonl").write_text(GOOD)
    assert pull(application) == 1 and trouble() == {}
    assert "cannot be read" in _trouble_of(learner_named("x", "nosuch://bucket"))


def learner_named(name: str, address: str) -> Application:
    application = makers.learning_application(name, sources=[{"address": address}])
    person = makers.user("pusher")
    person.is_staff = True
    person.save()
    Release.objects.update(created_by=person)
    return Application.objects.select_related("organisation", "release__created_by").get(pk=application.pk)


def _trouble_of(application: Application) -> str:
    pull(application)
    return SourceFile.objects.get(application=application, path="").error


def test_the_schedule_pulls_and_what_was_missed_is_pulled_once(folder: Path) -> None:
    application = learner(schedule="0 3 * * *")
    (folder / "a.jsonl").write_text(GOOD)
    now = NIGHT
    loop = Sourcing(clock=lambda: now)
    loop.tick()  # looks for the first time: from now on the schedule counts
    assert not Batch.objects.exists()
    now = NIGHT + timedelta(minutes=2)
    loop.tick()
    assert Batch.objects.count() == 1
    (folder / "b.jsonl").write_text(GOOD * 2)
    now = NIGHT + timedelta(hours=20)
    loop.tick()
    assert Batch.objects.count() == 1
    now = NIGHT + timedelta(days=4)  # was down
    loop.tick()
    application.refresh_from_db()
    assert Batch.objects.count() == 2 and application.pulled_until == now


def test_whoever_asks_has_it_pulled_now(folder: Path) -> None:
    application = learner()
    (folder / "a.jsonl").write_text(GOOD)
    Sourcing(clock=lambda: NIGHT).tick()
    assert not Batch.objects.exists()
    Application.objects.update(pull_asked_at=NIGHT)
    Sourcing(clock=lambda: NIGHT).tick()
    application.refresh_from_db()
    assert Batch.objects.count() == 1 and application.pull_asked_at is None


def test_who_asks_while_it_is_pulled_is_not_forgotten(folder: Path) -> None:
    application = learner()
    Application.objects.update(pull_asked_at=NIGHT)
    application.refresh_from_db()
    Application.objects.update(pull_asked_at=NIGHT + timedelta(seconds=1))
    sources.pulled(application=application, now=NIGHT)
    application.refresh_from_db()
    assert application.pull_asked_at == NIGHT + timedelta(seconds=1)


def test_a_suspended_application_has_nothing_pulled(folder: Path) -> None:
    learner()
    (folder / "a.jsonl").write_text(GOOD)
    Application.objects.update(pull_asked_at=NIGHT, status="suspended")
    Sourcing(clock=lambda: NIGHT).tick()
    assert not Batch.objects.exists()
