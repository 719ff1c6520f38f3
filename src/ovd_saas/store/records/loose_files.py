"""Loose files: bytes that lost a reference, and perhaps their last one. Floor 1."""

from django.db import models


class LooseFile(models.Model):
    """After a grace the bytes are removed from the file store, if no row refers to them then."""

    digest = models.CharField(max_length=71, unique=True)  # "sha256:" + hex
    since = models.DateTimeField()  # the last time that a reference went

    class Meta:
        indexes = [models.Index(fields=["since"], name="loose_since")]
