"""Batches: deliveries of samples into an application's intake, append-only and numbered; and where some came from.
Floor 1."""

from django.db import models

from ovd_saas.store.records.applications import Application
from ovd_saas.store.records.people import User


class Batch(models.Model):
    """Its bytes are JSON Lines, one sample a line, under `digest`. Nothing but `step`, `profile` and the take-down is
    ever written to it again. `step` is the learning run whose snapshot took it; None: it is pending."""

    application = models.ForeignKey(Application, models.CASCADE, related_name="batches")
    number = models.PositiveIntegerField()  # per application: 1, 2, 3 … without gaps
    digest = models.CharField(max_length=71)  # "sha256:" + hex of the JSON Lines
    size = models.BigIntegerField()  # bytes of the JSON Lines
    samples = models.PositiveIntegerField()
    kind = models.CharField(max_length=16)  # intake | feedback | execution | source
    media_type = models.CharField(max_length=100)  # as it was sent
    origin = models.JSONField(default=dict)  # {name?, execution?, source?, path?, note?}
    files = models.JSONField(default=list)  # digests of the files that its samples name
    received = models.CharField(max_length=71)  # digest of what was sent, before it became JSON Lines
    idempotency_key = models.CharField(max_length=255, null=True)
    caller = models.CharField(max_length=64)  # "user:7" | "appcore"
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField()
    step = models.ForeignKey("LearningRun", models.PROTECT, null=True, related_name="batches")
    taken_down_at = models.DateTimeField(null=True)  # its bytes are gone; the row stays
    taken_down_by = models.CharField(max_length=100, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["application", "number"], name="numbered_batches"),
            models.UniqueConstraint(
                fields=["application", "caller", "idempotency_key"],
                name="batch_once_per_key",
                condition=models.Q(idempotency_key__isnull=False),
            ),
        ]
        indexes = [
            models.Index(fields=["application", "received"], name="batch_same"),
            models.Index(fields=["application", "digest"], name="batch_same_samples"),
            models.Index(
                fields=["application"],
                name="batch_pending",
                condition=models.Q(step__isnull=True, taken_down_at__isnull=True),
            ),
            models.Index(
                fields=["application", "taken_down_at"],
                name="batch_taken_down",
                condition=models.Q(taken_down_at__isnull=False),
            ),
        ]


class DeliveryKey(models.Model):
    """An Idempotency-Key that was answered with a batch which was there already, from an earlier delivery of the same
    samples. Append-only."""

    application = models.ForeignKey(Application, models.CASCADE, related_name="+")
    caller = models.CharField(max_length=64)
    key = models.CharField(max_length=255)
    received = models.CharField(max_length=71)  # digest of what was sent with it
    batch = models.ForeignKey(Batch, models.CASCADE, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["application", "caller", "key"], name="delivery_once_per_key")]


class SourceFile(models.Model):
    """A file of a declared source that was pulled, or could not be; each is stored once."""

    application = models.ForeignKey(Application, models.CASCADE, related_name="source_files")
    source = models.CharField(max_length=500)  # address as declared
    path = models.CharField(max_length=1000)
    version = models.CharField(max_length=200)  # what tells a changed file: an ETag, or size and moment
    batch = models.ForeignKey(Batch, models.PROTECT, null=True, related_name="+")
    error = models.TextField(blank=True)  # why it is no batch
    seen_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["application", "source", "path"], name="source_file_once")]
