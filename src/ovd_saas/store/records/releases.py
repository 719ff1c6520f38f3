"""Releases: an immutable published version of code, manifest and locked environment. Floor 1."""

from django.db import models

from ovd_saas.store.records.applications import Application
from ovd_saas.store.records.people import User


class Release(models.Model):
    """States: building | ready | failed (`domain/releases.py`)."""

    application = models.ForeignKey(Application, models.CASCADE, related_name="releases")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=16, default="building")
    digest = models.CharField(max_length=71)  # "sha256:" + hex of the archive; names the release and its bytes
    environment = models.CharField(max_length=71, blank=True)  # digest of the built environment
    manifest = models.JSONField(default=dict)  # ovd.toml with defaults filled in
    schema = models.JSONField(default=dict)  # the schema document of ovd.schema
    description = models.TextField(blank=True)  # Markdown of the author's README
    log = models.TextField(blank=True)  # of the build
    error = models.TextField(blank=True)
    size = models.BigIntegerField(default=0)  # bytes of the archive
    seconds = models.FloatField(null=True)  # the build took
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    ready_at = models.DateTimeField(null=True)
    withdrawn_at = models.DateTimeField(null=True)  # since then nobody can make it current
    withdrawn_by = models.CharField(max_length=100, blank=True, default="", db_default="")  # "user:ana"
    withdraw_reason = models.CharField(max_length=300, blank=True, default="", db_default="")
    begun_at = models.DateTimeField(null=True)  # the latest build of it
    findings = models.JSONField(null=True)  # {at, by, seconds, samples, error?, python?, environment_mb?}: last check
    check_asked_at = models.DateTimeField(null=True)  # its samples are to be run again; cleared when they are
    check_asked_by = models.CharField(max_length=100, blank=True, default="", db_default="")  # "user:ana"

    class Meta:
        constraints = [models.UniqueConstraint(fields=["application", "number"], name="numbered_releases")]
        indexes = [
            models.Index(fields=["id"], name="release_building", condition=models.Q(state="building")),
            models.Index(
                fields=["check_asked_at"], name="release_check_asked", condition=models.Q(check_asked_at__isnull=False)
            ),
        ]
