"""Lookouts: how far the triggers of an application were looked at, so that what is new is found. Floor 1."""

from django.db import models

from ovd_saas.store.records.applications import Application
from ovd_saas.store.records.releases import Release


class Lookout(models.Model):
    """One for each application that has a release; written with every look, in its transaction."""

    application = models.OneToOneField(Application, models.CASCADE, primary_key=True, related_name="lookout")
    release = models.ForeignKey(Release, models.SET_NULL, null=True, related_name="+")  # whose manifest was looked at
    learns = models.BooleanField(default=False)
    batch = models.PositiveIntegerField(default=0)  # number of the newest batch that was looked at
    drift = models.BigIntegerField(default=0)  # id of the newest measure of drift that was looked at
    used = models.PositiveIntegerField(default=0)  # number of the newest batch that has made a run due
    schedule = models.CharField(max_length=300, blank=True)  # that Application.scheduled_until is about
    look_at = models.DateTimeField(null=True)  # to be looked at again at this moment
    is_held = models.BooleanField(default=False)  # to be looked at again when no run is open and it is enabled
    said = models.JSONField(default=dict)  # kind -> {id, decision, reason, cause} of its last evaluation
    paused_at = models.DateTimeField(null=True)  # a person paused it: since then nothing but a person makes it learn
    paused_by = models.CharField(max_length=100, blank=True, default="", db_default="")  # "user:ana"
    pause_reason = models.CharField(max_length=300, blank=True, default="", db_default="")
    next_what = models.CharField(max_length=300, blank=True)  # what makes it learn next, a sentence
    next_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["look_at"], name="lookout_at", condition=models.Q(look_at__isnull=False)),
            models.Index(fields=["application"], name="lookout_held", condition=models.Q(is_held=True)),
            models.Index(fields=["application"], name="lookout_learns", condition=models.Q(learns=True)),
        ]
