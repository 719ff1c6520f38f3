"""Checking: the samples of a release run again because a person asked; the engine is one of our own."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, cast

import pytest

import makers
from ovd_saas.appcore import releases
from ovd_saas.appcore.loops.checking import Checking
from ovd_saas.engines import base
from ovd_saas.files import store as files
from ovd_saas.store.records import Release

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SAMPLE = {"name": "one", "status": "failed", "message": "Output result is 2, expected 1.", "seconds": 0.2}
pytestmark = pytest.mark.django_db


class Machine:
    """An engine whose answer to a check is given; a machine that lacks the release prepares it."""

    def __init__(self, answer: base.Checked | base.EngineError) -> None:
        self._answer = answer

    def check(self, release_digest: str, on_log: Callable[[str], None]) -> base.Checked:
        if isinstance(self._answer, base.EngineError):
            raise self._answer
        return self._answer

    def prepare(self, release_digest: str, archive: Iterable[bytes], on_log: Callable[[str], None]) -> base.Prepared:
        return base.Prepared("sha256:e", {}, {}, [{**SAMPLE, "status": "passed"}], 2.0, "3.11.9", 12.5)


def checked(answer: base.Checked | base.EngineError) -> tuple[bool, Release]:
    """What a tick says, and the release after it; somebody had asked for a check of it."""
    release = cast(Release, makers.application().release)
    digest = files.put(b"an archive")
    Release.objects.filter(pk=release.pk).update(digest=digest, findings={"python": "3.11.9", "samples": []})
    release.refresh_from_db()
    releases.check_again(release=release, by="user:ana", now=NOW)
    said = Checking(cast(Any, Machine(answer))).tick()
    release.refresh_from_db()
    return said, release


@pytest.fixture(autouse=True)
def own_store(settings: Any, tmp_path: Any) -> None:
    settings.FILES = str(tmp_path / "files")


def test_what_a_check_finds_stands_beside_what_the_build_found() -> None:
    said, release = checked(base.Checked([SAMPLE], 1.5, "Sample one failed"))
    assert said is True
    assert release.check_asked_at is None
    found = release.findings or {}
    assert (found["by"], found["samples"], found["error"], found["python"]) == (
        "user:ana", [SAMPLE], "Sample one failed", "3.11.9",
    )  # fmt: skip


def test_a_machine_that_lacks_the_release_makes_it_ready_and_tells_those_samples() -> None:
    _, release = checked(base.NotPrepared("It is not there."))
    assert [one["status"] for one in (release.findings or {})["samples"]] == ["passed"]


def test_a_runner_that_is_down_is_asked_again_when_it_is_back() -> None:
    said, release = checked(base.RunnerDown("gone"))
    assert said is False
    assert release.check_asked_at == NOW


def test_nothing_is_asked_so_nothing_is_done() -> None:
    makers.application()
    assert Checking(cast(Any, Machine(base.Checked([], 0, "")))).tick() is False
