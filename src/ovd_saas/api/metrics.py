"""Metrics for Prometheus, at /metrics: the state of the platform in a few cheap numbers. Floor 3."""

from collections.abc import Iterable, Iterator, Mapping

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from ovd_saas.api import problems
from ovd_saas.api.callers import Bearer
from ovd_saas.domain import executions, learning_runs, models, processes, releases, status
from ovd_saas.domain.phase import PHASES
from ovd_saas.store.queries import counts, liveness, machines

KINDS = ("promote", "rollback")  # of promotions

OF_MACHINES = (
    ("memory_total_mb", "Memory for processes of applications."),
    ("memory_held_mb", "Memory promised to processes."),
    ("templates", "Templates."),
    ("templates_mb", "Memory of templates."),
    ("walls_missing", "Walls that do not stand."),
)

_LOOPBACK = {"127.0.0.1", "::1"}
_FORWARDED = ("X-Forwarded-For", "X-Real-IP", "Forwarded")


class Platform(Collector):
    """Counts anew whenever it is asked; zero is said, so that a graph has no holes."""

    def collect(self) -> Iterator[Metric]:
        yield _gauge("applications", "Applications.", "phase", PHASES, counts.applications_by_phase())
        yield _gauge(
            "applications_status", "Applications.", "status", status.STATUS.states, counts.applications_by_status()
        )
        yield GaugeMetricFamily(
            "ovd_applications_faulty", "Applications that do not start.", counts.faulty_applications()
        )
        hour = counts.executions_last_hour(timezone.now())
        yield _gauge(
            "executions_last_hour", "Executions made in the last hour.", "status", executions.EXECUTION.states, hour
        )
        open_ = counts.unfinished_executions()
        yield GaugeMetricFamily("ovd_queue_length", "Executions that wait.", open_[executions.QUEUED])
        yield GaugeMetricFamily("ovd_executions_running", "Executions that run.", open_[executions.RUNNING])
        living = counts.processes_by_state()
        yield _gauge("processes", "Living processes.", "state", processes.LIVING, living)
        yield _gauge("releases", "Releases.", "state", releases.RELEASE.states, counts.releases_by_state())
        yield from _learning()
        yield from _machines()
        yield GaugeMetricFamily("ovd_runners_up", "Runners that answer.", counts.runners_up())
        yield GaugeMetricFamily("ovd_appcore_leads", "1 while an AppCore leads.", int(liveness.appcore_leads()))


def _learning() -> Iterator[Metric]:
    yield CounterMetricFamily("ovd_batches", "Batches of samples that arrived.", counts.batches())
    yield GaugeMetricFamily("ovd_pending_samples", "Samples that nothing has learned.", counts.pending_samples())
    runs, states = counts.learning_runs_by_status(), learning_runs.LEARNING_RUN.states
    yield _gauge("learning_runs", "Learning runs.", "status", states, runs)
    yield _gauge("models", "Model versions.", "state", models.MODEL.states, counts.models_by_state())
    promotions = CounterMetricFamily("ovd_promotions", "Rows of the ledgers.", labels=["kind"])
    found = counts.promotions_by_kind()
    for kind in KINDS:
        promotions.add_metric([kind], found[kind])
    yield promotions


def _machines() -> Iterator[Metric]:
    runners = list(liveness.runners())
    rooms = machines.rooms(runners)
    told = {
        runner.name: (
            rooms[runner.pk].total_mb or 0,
            rooms[runner.pk].held_mb,
            len(runner.facts.get("templates") or ()),
            sum(template["memory_mb"] for template in runner.facts.get("templates") or ()),
            sum(1 for why_not in (runner.facts.get("walls") or {}).values() if why_not),
        )
        for runner in runners
    }
    for place, (name, text) in enumerate(OF_MACHINES):
        yield _gauge(name, text, "machine", told, {machine: figures[place] for machine, figures in told.items()})
    waiting = counts.waiting_for_memory()
    yield GaugeMetricFamily("ovd_waiting_for_memory", "Applications that wait for memory.", waiting)


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """For anybody on this machine, and with a token from elsewhere."""
    if not _is_local(request) and not Bearer()(request):
        return problems.answer(401, "unauthorised", "Metrics need a token, except on this machine.")
    registry = CollectorRegistry()
    registry.register(Platform())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)


def _is_local(request: HttpRequest) -> bool:
    """A proxy on this machine speaks for somebody elsewhere."""
    is_forwarded = any(name in request.headers for name in _FORWARDED)
    return request.META.get("REMOTE_ADDR") in _LOOPBACK and not is_forwarded


def _gauge(name: str, text: str, label: str, labels: Iterable[str],
           values: Mapping[str, float]) -> GaugeMetricFamily:  # fmt: skip
    gauge = GaugeMetricFamily(f"ovd_{name}", text, labels=[label])
    for one in labels:
        gauge.add_metric([one], values.get(one, 0))
    return gauge
