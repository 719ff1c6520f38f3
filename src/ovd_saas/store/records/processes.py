"""Processes of applications, and the runners (one per machine) that own them. Floor 1."""

from django.db import models

from ovd_saas.store.records.applications import Application
from ovd_saas.store.records.releases import Release


class Runner(models.Model):
    """A machine's runner, as AppCore last saw it."""

    name = models.CharField(max_length=200, unique=True)
    is_up = models.BooleanField(default=False)
    seen_at = models.DateTimeField(null=True)
    facts = models.JSONField(default=dict)  # cpus, memory_mb, python, platform, …
    drained_at = models.DateTimeField(null=True)  # since then nothing new starts there
    drained_by = models.CharField(max_length=100, blank=True, default="", db_default="")  # "user:ana"
    drain_reason = models.CharField(max_length=300, blank=True, default="", db_default="")


class Measure(models.Model):
    """How busy a machine was at one moment; one a minute and runner, kept for some days."""

    runner = models.ForeignKey(Runner, models.CASCADE, related_name="measures")
    at = models.DateTimeField()
    busy_cpus = models.FloatField()  # processors at work, 0 to all of them, since the measure before
    used_mb = models.PositiveIntegerField()  # memory of the machine in use
    admitted_mb = models.PositiveIntegerField()  # memory that its processes were admitted with
    processes = models.PositiveIntegerField()  # of applications, alive
    waiting = models.PositiveIntegerField()  # executions that were queued on the whole platform

    class Meta:
        indexes = [models.Index(fields=["runner", "at"], name="measures_of_runner")]


class Process(models.Model):
    """One sandboxed operating-system process of one application. States: `domain/processes.py`."""

    SERVE = "serve"  # the kind that executes; the others work for a learning run

    id = models.UUIDField(primary_key=True)
    application = models.ForeignKey(Application, models.CASCADE, related_name="processes")
    release = models.ForeignKey(Release, models.PROTECT, related_name="+")
    runner = models.ForeignKey(Runner, models.PROTECT, related_name="processes")
    kind = models.CharField(max_length=16, default=SERVE)  # serve | learn | evaluate
    model = models.ForeignKey("ModelVersion", models.PROTECT, null=True, related_name="+")  # that it was set up with
    run = models.ForeignKey("LearningRun", models.CASCADE, null=True, related_name="processes")  # that it works for
    state = models.CharField(max_length=16, default="starting")
    concurrency = models.PositiveIntegerField(default=1)
    memory_mb = models.PositiveIntegerField(default=512)  # that it holds of the machine's
    how = models.CharField(max_length=16, blank=True)  # it was born: fork | template | spawn; empty = not ready yet
    ready_seconds = models.FloatField(null=True)  # from the order to being ready
    pid = models.PositiveIntegerField(null=True)
    address = models.CharField(max_length=200, blank=True)  # unix socket path
    condemned = models.TextField(blank=True)  # why it is to be killed now; empty = it is not
    started_at = models.DateTimeField()
    ready_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    end_reason = models.TextField(blank=True)

    class Meta:
        indexes = [models.Index(fields=["application"], name="process_alive", condition=~models.Q(state="ended"))]
