"""Adoptions: another one's release on one's own data; later releases wait until somebody takes them."""

from datetime import UTC, datetime

import pytest

import makers
from ovd_saas.appcore import adoptions, applications, releases
from ovd_saas.store.records import Application, Release, Transition

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
pytestmark = pytest.mark.django_db


def adopt(upstream: Application, name: str = "flow", title: str = "") -> Application:
    return adoptions.adopt(
        upstream=upstream, organisation=makers.organisation("elsewhere"), name=name, title=title, by="user:bo",
        by_id=None, now=NOW,
    )  # fmt: skip


def take(application: Application, number: int) -> Application:
    return adoptions.take(application=application, number=number, by="user:bo", by_id=None, now=NOW)


@pytest.fixture
def upstream() -> Application:
    return makers.application("water-flow", learn={})


def test_it_runs_the_same_release_with_data_and_models_of_its_own(upstream: Application) -> None:
    makers.batch(upstream)
    makers.promotion(makers.model_version(upstream))
    made = adopt(upstream)
    assert made.address == "elsewhere/flow" and made.upstream_id == upstream.pk
    assert (made.status, made.service) == ("enabled", "asleep")
    assert made.release is not None and upstream.release is not None
    assert made.release.pk != upstream.release.pk
    for name in ("digest", "environment", "manifest", "schema", "state"):
        assert getattr(made.release, name) == getattr(upstream.release, name)
    assert (made.model, made.batches.count(), made.models.count()) == (None, 0, 0)
    assert Transition.objects.filter(application=made, region="status", target="enabled", actor="user:bo").exists()
    assert not Transition.objects.filter(application=upstream, actor="user:bo").exists()


def test_the_adopter_may_give_it_another_title(upstream: Application) -> None:
    assert adopt(upstream, "one").title == upstream.title
    assert adopt(upstream, "two", "Our pipes").title == "Our pipes"


def test_what_cannot_be_run_cannot_be_adopted(upstream: Application) -> None:
    with pytest.raises(adoptions.NotAdoptable, match="no ready release"):
        adopt(makers.draft("new"))
    Application.objects.filter(pk=upstream.pk).update(status="retired")
    upstream.refresh_from_db()
    with pytest.raises(adoptions.NotAdoptable, match="retired"):
        adopt(upstream)
    assert not Application.objects.filter(organisation__slug="elsewhere").exists()


def test_a_name_that_is_taken_changes_nothing(upstream: Application) -> None:
    adopt(upstream)
    with pytest.raises(applications.NameTaken):
        adopt(upstream)
    assert Release.objects.filter(application__organisation__slug="elsewhere").count() == 1


def test_a_later_release_is_offered_and_taken_when_somebody_wants_it(upstream: Application) -> None:
    made = adopt(upstream)
    assert adoptions.offered(made) is None
    later = makers.release(upstream, 2)
    assert adoptions.offered(made) is None  # ready, but the upstream does not run it yet
    releases.use(release=later, by="user:ana", now=NOW)
    offered = adoptions.offered(made)
    assert offered is not None and offered.number == 2
    changed = take(made, 2)
    assert changed.release is not None
    assert (changed.release.number, changed.release.digest) == (2, later.digest)
    assert adoptions.offered(changed) is None
    with pytest.raises(adoptions.NothingToTake):
        take(changed, 2)


def test_another_release_than_the_one_that_was_looked_at_is_not_taken(upstream: Application) -> None:
    made = adopt(upstream)
    for number in (2, 3):
        releases.use(release=makers.release(upstream, number), by="user:ana", now=NOW)
    with pytest.raises(adoptions.NothingToTake, match="release 3 now, not 2"):
        take(made, 2)
    assert Release.objects.filter(application=made).count() == 1


def test_a_release_that_is_here_already_is_not_copied_again(upstream: Application) -> None:
    made = adopt(upstream)
    first = made.release
    releases.use(release=makers.release(upstream, 2), by="user:ana", now=NOW)
    changed = take(made, 2)
    assert first is not None
    releases.use(release=first, by="user:bo", now=NOW)
    changed.refresh_from_db()
    assert take(changed, 2).release is not None
    assert Release.objects.filter(application=made).count() == 2


def test_a_withdrawn_release_is_not_offered(upstream: Application) -> None:
    made = adopt(upstream)
    releases.use(release=makers.release(upstream, 2, learn={}), by="user:ana", now=NOW)
    Release.objects.filter(application=upstream, number=2).update(withdrawn_at=NOW)
    assert adoptions.offered(made) is None
