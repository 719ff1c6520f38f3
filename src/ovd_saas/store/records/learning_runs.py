"""Learning runs: what they learn from (a snapshot), how they go, and what they tell meanwhile. Floor 1."""

from django.db import models

from ovd_saas.domain import learning_runs as states
from ovd_saas.store.records.applications import Application
from ovd_saas.store.records.releases import Release


class Snapshot(models.Model):
    """A frozen list of batches and the rule that splits them; the same data under the same rule is the same row."""

    application = models.ForeignKey(Application, models.CASCADE, related_name="snapshots")
    digest = models.CharField(max_length=71)  # "sha256:" + hex of the canonical JSON of batches and rule
    last = models.PositiveIntegerField()  # number of the newest batch in it
    batches = models.JSONField()  # [[number, digest, samples], …] in order; taken-down ones are left out
    rule = models.JSONField()  # {data, holdout, holdout_fraction, time, after}: domain/snapshots.py
    samples = models.PositiveIntegerField()
    train = models.PositiveIntegerField()  # samples that the run learns from
    holdout = models.PositiveIntegerField()  # samples that the gate judges with
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["application", "digest"], name="one_snapshot_each")]


class LearningRun(models.Model):
    """States of `domain/learning_runs.py`; the database allows one open run an application."""

    id = models.UUIDField(primary_key=True)  # UUIDv7
    application = models.ForeignKey(Application, models.CASCADE, related_name="learning_runs")
    number = models.PositiveIntegerField()  # per application: 1, 2, 3 …
    status = models.CharField(max_length=16, default=states.QUEUED)
    trigger = models.CharField(max_length=16)  # schedule | data | notice | drift | manual
    cause = models.CharField(max_length=200, blank=True)  # "batches 3-17", "user:ana", "2026-03-01T03:00:00Z" …
    reason = models.TextField(blank=True)  # why it is as it is, a sentence
    release = models.ForeignKey(Release, models.PROTECT, null=True, related_name="+")  # that learns
    parent = models.ForeignKey("ModelVersion", models.PROTECT, null=True, related_name="+")  # active when it began
    snapshot = models.ForeignKey(Snapshot, models.PROTECT, null=True, related_name="runs")  # frozen when it began
    candidate = models.ForeignKey("ModelVersion", models.PROTECT, null=True, related_name="+")
    seed = models.BigIntegerField()
    process = models.UUIDField(null=True)  # that learns or evaluates
    progress = models.JSONField(null=True)  # {fraction: 0..1 | null, message}
    metrics = models.JSONField(default=dict)  # what `learn` returned
    gate = models.JSONField(null=True)  # the verdict: domain/gate.py
    error = models.JSONField(null=True)  # {code, message, traceback?}
    log = models.TextField(blank=True, default="")
    digests = models.JSONField(default=dict)  # release, environment, snapshot, parent, candidate
    hardware = models.JSONField(default=dict)
    checkpoint = models.CharField(max_length=71, blank=True)  # digest of the last one
    followed = models.PositiveIntegerField(default=0)  # events of its process that are noted
    attempts = models.PositiveIntegerField(default=0)  # begun so many times
    failures = models.PositiveIntegerField(default=0)  # attempts that failed by themselves
    retry_at = models.DateTimeField(null=True)  # not before this moment
    lease = models.BigIntegerField(default=0)  # fencing token: only its holder may write a result
    lease_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=100)  # "user:ana" | "appcore"
    started_at = models.DateTimeField(null=True)  # first attempt
    finished_at = models.DateTimeField(null=True)
    seconds = models.FloatField(null=True)  # in `learn`

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["application", "number"], name="numbered_learning_runs"),
            models.UniqueConstraint(
                fields=["application"],
                name="one_open_learning_run",
                condition=models.Q(status__in=states.OPEN),
            ),
        ]
        indexes = [
            models.Index(fields=["application"], name="learning_run_open", condition=models.Q(status__in=states.OPEN)),
        ]


class LearningEvent(models.Model):
    """What happened in a run; server-sent events resume from `id`, and curves are drawn of its metrics."""

    run = models.ForeignKey(LearningRun, models.CASCADE, related_name="events")
    kind = models.CharField(max_length=16)  # status | started | progress | metric | log | checkpoint
    body = models.JSONField()
    at = models.DateTimeField()


class TriggerEvaluation(models.Model):
    """One look at whether learning is due, with its reason, also when it is not. Append-only; of those
    that made no run due, the oldest go (`queries/triggers.KEPT`)."""

    application = models.ForeignKey(Application, models.CASCADE, related_name="evaluations")
    kind = models.CharField(max_length=16)  # schedule | data | notice | drift | manual
    decision = models.CharField(max_length=16)  # due | waits | skipped
    reason = models.TextField()  # a sentence: "skipped: only 12 of 100 samples"
    cause = models.CharField(max_length=200, blank=True)  # what was looked at: "batch 17", "cron 2026-03-01T03:00Z"
    run = models.ForeignKey(LearningRun, models.PROTECT, null=True, related_name="evaluations")  # that it made due
    again_at = models.DateTimeField(null=True)  # when it is looked at again by itself
    at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["application", "-id"], name="evaluations"),
            models.Index(fields=["application", "kind", "-id"], name="evaluations_of_a_kind"),
            models.Index(fields=["-at", "-id"], name="evaluations_ledger"),  # of all applications
        ]
