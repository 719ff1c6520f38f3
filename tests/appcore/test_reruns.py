"""An execution once more: the same inputs and seed, on what is current."""

from datetime import UTC, datetime
from typing import Any

import pytest

import makers
import pages_rows
from ovd_saas.appcore import executions, reruns
from ovd_saas.appcore.refusals import NotFound
from ovd_saas.files import store as files
from ovd_saas.store.queries.executions import chain
from ovd_saas.store.records import Application, Execution, Release, User

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def ana(db: None) -> User:
    return makers.user()


@pytest.fixture
def lines(ana: User, settings: Any, tmp_path: Any) -> Application:
    settings.FILES = str(tmp_path / "files")
    return pages_rows.application("line-segments", pages_rows.LINES)


@pytest.fixture
def drawn(lines: Application, ana: User) -> Execution:
    picture = pages_rows.stored("stairs.png", "image/png", pages_rows.png())
    inputs = {"picture": picture, "detail": "fine", "shortest": 12.5, "thin": True, "label": ""}
    return pages_rows.execution(lines, ana, inputs=inputs, consent=True)


def again(execution: Execution, user: User) -> Execution:
    return reruns.again(execution_id=execution.pk, caller=f"user:{user.pk}", by_id=user.pk, now=NOW)


def test_it_is_queued_with_the_same_inputs_and_seed_and_names_its_cause(drawn: Execution, ana: User) -> None:
    made = again(drawn, ana)
    assert (made.status, made.seed, made.inputs) == ("queued", drawn.seed, drawn.inputs)
    assert made.cause == {"kind": "again", "execution": str(drawn.pk)}
    assert not made.consent, "who runs it again was not asked"


def test_a_chain_of_repetitions_leads_back_to_the_first(drawn: Execution, ana: User) -> None:
    last = drawn
    for _ in range(3):
        last = again(last, ana)
        Execution.objects.filter(pk=last.pk).update(status="succeeded")
    found = chain(last)
    assert [one.kind for one in found] == ["again", "again", "page"]
    assert found[-1].id == drawn.pk
    assert chain(drawn) == []


def test_inputs_that_the_current_release_no_longer_takes_are_refused(drawn: Execution, ana: User) -> None:
    release = Release.objects.get(pk=drawn.release_id)
    release.schema["inputs"]["properties"]["detail"]["enum"] = ["coarse"]
    release.save()
    with pytest.raises(reruns.InputsNoLongerFit, match="with changes") as refusal:
        again(drawn, ana)
    assert [error.field for error in refusal.value.errors] == ["detail"]
    assert Execution.objects.count() == 1


def test_a_file_that_is_gone_is_said(drawn: Execution, ana: User) -> None:
    files.remove(drawn.inputs["picture"]["digest"])
    with pytest.raises(reruns.NotRepeatable, match="no longer stored"):
        again(drawn, ana)


def test_what_was_taken_down_or_goes_on_is_not_run_again(drawn: Execution, ana: User) -> None:
    Execution.objects.filter(pk=drawn.pk).update(status="running")
    with pytest.raises(reruns.NotRepeatable, match="running"):
        again(drawn, ana)
    Execution.objects.filter(pk=drawn.pk).update(status="succeeded", taken_down_at=NOW)
    with pytest.raises(reruns.NotRepeatable, match="taken down"):
        again(drawn, ana)
    with pytest.raises(NotFound):
        reruns.again(execution_id=executions.new_id(), caller="user:1", by_id=None, now=NOW)


def test_a_suspended_application_runs_nothing_again(drawn: Execution, lines: Application, ana: User) -> None:
    Application.objects.filter(pk=lines.pk).update(status="suspended")
    with pytest.raises(executions.NotAccepting, match="suspended"):
        again(drawn, ana)
