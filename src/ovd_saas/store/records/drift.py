"""What a model version learned from, field by field, for drift to be measured against. Floor 1."""

from django.db import models

from ovd_saas.store.records.models import ModelVersion


class DriftReference(models.Model):
    """The profile of a version's snapshot; made anew when what it rests on is no longer so."""

    model = models.OneToOneField(ModelVersion, models.CASCADE, primary_key=True, related_name="drift_reference")
    basis = models.CharField(max_length=64)  # digest of what it was made of: watched fields, batches that are there
    profile = models.JSONField()  # domain/profiles.py
    made_at = models.DateTimeField()
