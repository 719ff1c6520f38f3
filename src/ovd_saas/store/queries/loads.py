"""Loads: what an application has in hand now, which an action would meet. Floor 1."""

from dataclasses import dataclass

from ovd_saas.domain import executions, learning_runs
from ovd_saas.domain import processes as processing
from ovd_saas.store.records import Application, Execution, LearningRun, Process

MOST = 1000  # executions that are counted


@dataclass(frozen=True)
class Load:
    """How many of what; executions up to MOST of each."""

    queued: int  # executions that wait
    running: int
    processes: int  # that serve
    run: tuple[int, str] | None  # the open learning run: its number and status
    adopters: int  # applications that run its releases


def of(application: Application) -> Load:
    """Five questions, each of an index of just those."""
    rows = Execution.objects.filter(application=application)
    serving = Process.objects.filter(application=application, kind=Process.SERVE).exclude(state=processing.ENDED)
    open_ = LearningRun.objects.filter(application=application, status__in=learning_runs.OPEN)
    return Load(
        queued=rows.filter(status=executions.QUEUED)[:MOST].count(),
        running=rows.filter(status=executions.RUNNING)[:MOST].count(),
        processes=serving.count(),
        run=open_.values_list("number", "status").first(),
        adopters=Application.objects.filter(upstream=application)[:MOST].count(),
    )
