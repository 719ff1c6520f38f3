"""What the runner tells of a process is noted, also when it comes before the row, or not at all."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

import makers
from ovd_saas.appcore import newborns, processes
from ovd_saas.engines import base
from ovd_saas.store.records import Application, Process, Runner

NOW = timezone.now()


@pytest.fixture
def echo(db: None) -> Application:
    return makers.application("echo")


def begun(application: Application, id_: UUID, *, seconds_ago: float = 0.0) -> Process:
    assert application.release is not None
    runner, _ = Runner.objects.get_or_create(name="here", defaults={"is_up": True})
    return Process.objects.create(
        id=id_, application=application, release=application.release, runner=runner, address="/run/p.sock",
        started_at=NOW - timedelta(seconds=seconds_ago),
    )  # fmt: skip


def living(id_: UUID, state: str = "ready") -> base.Process:
    return base.Process(str(id_), 7, "/run/p.sock", "sha256:0", state, "2026-03-01T12:00:00Z", 10.0)


def state_of(id_: UUID) -> str:
    return Process.objects.values_list("state", flat=True).get(pk=id_)


def test_a_process_that_is_ready_before_its_row_is_there_is_noted_as_ready_then(echo: Application) -> None:
    id_ = uuid4()
    with newborns.row_on_its_way(id_):
        newborns.hear(base.Ready(str(id_), 0.02, {}, 7, "fork"), now=NOW)
        begun(echo, id_)
        assert state_of(id_) == "starting"
    process = Process.objects.get(pk=id_)
    assert (process.state, process.how, process.ready_seconds) == ("ready", "fork", 0.02)


def test_one_that_ended_before_its_row_was_there_has_ended_with_the_reason(echo: Application) -> None:
    id_ = uuid4()
    with newborns.row_on_its_way(id_):
        newborns.hear(base.Ready(str(id_), 0.02, {}, 7, "fork"), now=NOW)
        newborns.hear(base.Exited(str(id_), 3, None, "exit", "exit code 3"), now=NOW)
        begun(echo, id_)
    assert Process.objects.values_list("state", "end_reason").get(pk=id_) == ("ended", "exit code 3")


def test_one_whose_row_was_not_written_leaves_nothing(echo: Application) -> None:
    id_ = uuid4()
    with pytest.raises(base.RunnerDown), newborns.row_on_its_way(id_):
        newborns.hear(base.Ready(str(id_), 0.02, {}, 7, "fork"), now=NOW)
        raise base.RunnerDown("It hung up.")
    assert not Process.objects.exists() and not newborns._told


def test_what_is_told_of_others_is_noted_at_once(echo: Application) -> None:
    id_ = begun(echo, uuid4()).pk
    with newborns.row_on_its_way(uuid4()):
        newborns.hear(base.Ready(str(id_), 0.02, {}, 7, "fork"), now=NOW)
        assert state_of(id_) == "ready"


def test_one_that_was_ready_long_ago_and_nobody_knew_is_made_up_for(echo: Application) -> None:
    late, fresh = begun(echo, uuid4(), seconds_ago=20), begun(echo, uuid4(), seconds_ago=1)
    still = begun(echo, uuid4(), seconds_ago=20)
    there = [living(late.pk), living(fresh.pk), living(still.pk, "starting")]
    processes.make_up(runner=late.runner, living=there, now=NOW)
    assert [state_of(one.pk) for one in (late, fresh, still)] == ["ready", "starting", "starting"]


def test_missing_are_those_that_only_rows_tell_of(echo: Application) -> None:
    here, gone, on_its_way = (begun(echo, uuid4()) for _ in range(3))
    Process.objects.filter(pk=on_its_way.pk).update(address="")
    assert processes.missing(runner=here.runner, living={str(here.pk)}) == {gone.pk}
