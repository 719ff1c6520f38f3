"""Executions: one run for somebody, on given inputs; and the events of those that took a while. Floor 1."""

from django.db import models

from ovd_saas.store.records.applications import Application
from ovd_saas.store.records.people import User
from ovd_saas.store.records.releases import Release


class Execution(models.Model):
    """States of `domain/executions.py`. A quick one is inserted once, finished; others are rows from `queued` on."""

    id = models.UUIDField(primary_key=True)  # UUIDv7: sorts by time
    application = models.ForeignKey(Application, models.CASCADE, related_name="executions")
    release = models.ForeignKey(Release, models.PROTECT, null=True, db_index=False)  # the one that ran it
    model = models.ForeignKey("ModelVersion", models.PROTECT, null=True, related_name="+", db_index=False)  # likewise
    process = models.UUIDField(null=True)  # the process that ran it
    status = models.CharField(max_length=16)

    inputs = models.JSONField()  # canonical values; files as {name, media_type, size, digest}
    outputs = models.JSONField(null=True)  # likewise
    error = models.JSONField(null=True)  # {code, message, traceback?}
    log = models.TextField(blank=True, default="")
    seed = models.BigIntegerField()
    progress = models.JSONField(null=True)  # {fraction: 0..1 | null, message}
    digests = models.JSONField(default=dict)  # release, environment, model, inputs, outputs
    hardware = models.JSONField(default=dict)

    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    deadline_at = models.DateTimeField(null=True)  # not started by then: expired
    seconds = models.FloatField(null=True)  # in the application

    attempts = models.PositiveIntegerField(default=0)  # started so many times
    lease = models.BigIntegerField(default=0)  # fencing token: only its holder may finish
    lease_until = models.DateTimeField(null=True)

    caller = models.CharField(max_length=64)  # "user:7" | "public:…": fairness and idempotency count by it
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+", db_index=False)
    cause = models.JSONField(default=dict)  # {kind: api | panel | page | sample, …}
    idempotency_key = models.CharField(max_length=255, null=True)
    request_digest = models.CharField(max_length=71, blank=True, default="")  # what the key was used for
    consent = models.BooleanField(default=False, db_default=False)  # the application may learn from it
    feedback = models.JSONField(null=True)  # {label, batch, by, at}: the latest one
    sampled = models.JSONField(null=True)  # {batch} or {why} it is none; None: not looked at as a sample yet
    taken_down_at = models.DateTimeField(null=True)

    others_wait = True  # no column: whether others waited beside it when it was claimed

    class Meta:
        indexes = [
            models.Index(fields=["application", "-created_at"], name="execution_recent"),
            models.Index(
                fields=["application", "created_at"],
                name="execution_queued",
                condition=models.Q(status="queued"),
            ),
            models.Index(fields=["lease_until"], name="execution_running", condition=models.Q(status="running")),
            models.Index(
                fields=["application", "finished_at"],
                name="execution_unsampled",
                condition=models.Q(status="succeeded", consent=True, sampled__isnull=True, taken_down_at=None),
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["application", "caller", "idempotency_key"],
                name="execution_once_per_key",
                condition=models.Q(idempotency_key__isnull=False),
            )
        ]


class Share(models.Model):
    """A link that shows one execution to whoever has it, until it is revoked."""

    execution = models.ForeignKey(Execution, models.CASCADE, related_name="shares")
    secret = models.CharField(max_length=64, unique=True)  # in the address; whoever made the link may see it again
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    revoked_at = models.DateTimeField(null=True)


class ExecutionEvent(models.Model):
    """What happened while an execution was queued or running; server-sent events resume from `id`."""

    execution = models.ForeignKey(Execution, models.CASCADE, related_name="events")
    kind = models.CharField(max_length=16)  # status | progress | log | output
    body = models.JSONField()
    at = models.DateTimeField()
