"""Transitions: the timeline. Every change of a state is one row, written with the change. Floor 1."""

from django.db import models

from ovd_saas.store.records.applications import Application


class Transition(models.Model):
    """Append-only."""

    application = models.ForeignKey(Application, models.CASCADE, related_name="transitions")
    region = models.CharField(max_length=16)  # status | service | learning | health | release
    source = models.CharField(max_length=16)
    target = models.CharField(max_length=16)
    event = models.CharField(max_length=16)
    cause = models.CharField(max_length=100, blank=True)  # "execution:…", "release:3", "process:…"
    actor = models.CharField(max_length=100)  # "user:ana" | "appcore"
    reason = models.TextField(blank=True)
    at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["application", "-id"], name="timeline"),
            models.Index(fields=["-at", "-id"], name="ledger_of_all"),  # of all applications
            models.Index(fields=["cause"], name="transition_cause", condition=~models.Q(cause="")),
        ]
