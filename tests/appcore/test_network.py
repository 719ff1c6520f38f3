"""What an application may reach: wished by its release, allowed by an operator, and gone when that is taken back."""

import uuid

import pytest
from django.utils import timezone

import makers
from ovd_saas.appcore import network
from ovd_saas.store.records import Application, Process, Runner, Transition

pytestmark = pytest.mark.django_db
ASKS = {"network": {"hosts": ["api.example.org", "Data.example.org:8080"]}}


def allow(application: Application, *hosts: str) -> Application:
    return network.allow(application=application, hosts=hosts, by="user:ana", now=timezone.now())


def reached(application: Application) -> list[str]:
    assert application.release is not None
    return network.granted(application, application.release)


def process(application: Application, state: str = "ready", kind: str = "serve") -> Process:
    assert application.release is not None
    runner, _ = Runner.objects.get_or_create(name="here")
    return Process.objects.create(
        id=uuid.uuid4(), application=application, release=application.release, runner=runner, kind=kind, state=state,
        started_at=timezone.now(),
    )  # fmt: skip


def test_nothing_is_reached_until_it_is_allowed() -> None:
    application = makers.application(**ASKS)
    assert network.wished(application.release) == ["api.example.org:443", "data.example.org:8080"]
    assert reached(application) == []
    allow(application, "API.example.org")
    assert reached(application) == ["api.example.org:443"]


def test_what_is_allowed_and_not_asked_for_is_not_reached() -> None:
    application = makers.application()
    assert allow(application, "other.example.org").network_allowed == ["other.example.org:443"]
    assert reached(application) == []


def test_what_an_old_release_holds_and_is_no_host_asks_for_nothing() -> None:
    application = makers.application(network={"hosts": ["https://api.example.org/", "any text", "api.example.org"]})
    assert network.wished(application.release) == ["api.example.org:443"]


def test_the_timeline_says_who_allowed_what_and_when_it_holds() -> None:
    application = makers.application(**ASKS)
    allow(application, "api.example.org", "api.example.org:443")
    row = Transition.objects.get(application=application, region="network")
    assert (row.actor, row.event, row.source, row.target) == ("user:ana", "allow", "0 hosts", "1 host")
    assert row.reason == "ana allowed api.example.org:443, from the next start on."
    allow(application, "api.example.org")
    assert Transition.objects.filter(application=application, region="network").count() == 1


def test_taking_back_ends_what_could_reach_it_and_nothing_else() -> None:
    application, other = makers.application(**ASKS), makers.application("other", **ASKS)
    allow(application, "api.example.org", "data.example.org:8080", "more.example.org")
    serves, learns, ended = process(application), process(application, kind="learn"), process(application, "ended")
    stranger = process(other)
    allow(application, "api.example.org", "data.example.org:8080")
    assert not Process.objects.exclude(condemned="").exists()  # nobody asked for that one
    allow(application, "data.example.org:8080")
    condemned = set(Process.objects.exclude(condemned="").values_list("pk", flat=True))
    assert condemned == {serves.pk, learns.pk}
    assert ended.pk not in condemned and stranger.pk not in condemned
    last = Transition.objects.filter(application=application, region="network").order_by("pk").last()
    assert last is not None and "took back api.example.org:443. 2 processes were ended" in last.reason


def test_what_is_no_host_is_refused_and_changes_nothing() -> None:
    application = makers.application(**ASKS)
    with pytest.raises(network.BadHosts, match=r"'https://api\.example\.org' cannot be allowed") as refused:
        allow(application, "good.example.org", "https://api.example.org", "*.org")
    assert [error.field for error in refused.value.errors] == ["network_allowed", "network_allowed"]
    with pytest.raises(network.BadHosts, match="101 hosts"):
        allow(application, *(f"h{number}.org" for number in range(101)))
    application.refresh_from_db()
    assert application.network_allowed == []


def test_nothing_is_allowed_to_a_retired_application() -> None:
    application = makers.application(**ASKS)
    Application.objects.update(status="retired")
    with pytest.raises(network.Retired, match="is retired"):
        allow(application, "api.example.org")
