"""Model versions, the ledger of what was live when, and how far the data has drifted from it. Floor 1."""

from django.db import models

from ovd_saas.domain import models as states
from ovd_saas.store.records.applications import Application
from ovd_saas.store.records.learning_runs import LearningRun, Snapshot
from ovd_saas.store.records.releases import Release


class ModelVersion(models.Model):
    """An immutable learned artifact: a folder, kept as a tar under `digest`. States of `domain/models.py`; the
    database allows one active version an application."""

    application = models.ForeignKey(Application, models.CASCADE, related_name="models")
    number = models.PositiveIntegerField()  # per application: 1, 2, 3 …
    state = models.CharField(max_length=16, default=states.CANDIDATE)
    digest = models.CharField(max_length=71)  # "sha256:" + hex of the tar
    size = models.BigIntegerField()  # bytes of the tar
    run = models.ForeignKey(LearningRun, models.PROTECT, null=True, related_name="+")
    parent = models.ForeignKey("self", models.PROTECT, null=True, related_name="children")
    snapshot = models.ForeignKey(Snapshot, models.PROTECT, null=True, related_name="+")
    release = models.ForeignKey(Release, models.PROTECT, related_name="+")  # that learned it
    metrics = models.JSONField(default=dict)  # what `evaluate` gave on the holdout
    reason = models.TextField(blank=True)  # why it is as it is: the verdict of the gate, a person …
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["application", "number"], name="numbered_models"),
            models.UniqueConstraint(
                fields=["application"], name="one_active_model", condition=models.Q(state=states.ACTIVE)
            ),
        ]


class Promotion(models.Model):
    """The ledger: which version became live when, why, and by whom. Append-only; the last row is live."""

    application = models.ForeignKey(Application, models.CASCADE, related_name="promotions")
    model = models.ForeignKey(ModelVersion, models.PROTECT, related_name="promotions")
    previous = models.ForeignKey(ModelVersion, models.PROTECT, null=True, related_name="+")  # live until then
    kind = models.CharField(max_length=16)  # promote | rollback
    actor = models.CharField(max_length=100)  # "user:ana" | "gate" | "bake"
    reason = models.TextField()
    at = models.DateTimeField()  # strictly later than every earlier row's
    bakes_until = models.DateTimeField(null=True)  # watched until then; None: not watched

    class Meta:
        constraints = [models.UniqueConstraint(fields=["application", "at"], name="one_promotion_a_moment")]
        indexes = [models.Index(fields=["application", "-at"], name="ledger")]


class DriftMeasure(models.Model):
    """How far the latest samples are from those that the active version learned from. Append-only; the oldest
    of an application go (`appcore/drift.KEPT`), and its last row holds the window to go on from."""

    application = models.ForeignKey(Application, models.CASCADE, related_name="drift")
    model = models.ForeignKey(ModelVersion, models.CASCADE, related_name="+")
    through = models.PositiveIntegerField()  # number of the newest batch looked at
    samples = models.PositiveIntegerField()  # in the window
    fields = models.JSONField()  # name -> {kind, measures: {psi, ks, js, missing}, limits, is_drifting}
    window = models.JSONField(default=dict)  # what the next measure goes on from; emptied when that is written
    is_drifting = models.BooleanField()
    reason = models.TextField()  # a sentence
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["application", "-id"], name="drift_latest")]
