"""Samples: example inputs that a visitor can click, of one application or shared in a collection. Floor 1."""

from django.db import models

from ovd_saas.store.records.applications import Application
from ovd_saas.store.records.people import Organisation, User


class Collection(models.Model):
    """Samples that several applications of an organisation offer."""

    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="collections")
    slug = models.SlugField(max_length=40)
    title = models.CharField(max_length=200)
    applications = models.ManyToManyField(Application, related_name="collections")
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation", "slug"], name="one_collection_of_a_name")]


class Sample(models.Model):
    """Of an application or of a collection; those that a release brings along are in its schema, not here."""

    application = models.ForeignKey(Application, models.CASCADE, null=True, related_name="samples")
    collection = models.ForeignKey(Collection, models.CASCADE, null=True, related_name="samples")
    position = models.PositiveIntegerField(default=0)  # from the first one shown, 0
    title = models.CharField(max_length=200)
    credit = models.CharField(max_length=300, blank=True)  # who made it
    licence = models.CharField(max_length=100, blank=True)  # SPDX, or in words
    inputs = models.JSONField()  # name of the input -> value; a file is {name, media_type, size, digest}
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    removed_at = models.DateTimeField(null=True)  # nobody sees it since then; a while later it is gone

    class Meta:
        indexes = [
            models.Index(fields=["application", "position"], name="samples_of_application"),
            models.Index(fields=["removed_at"], name="samples_removed", condition=models.Q(removed_at__isnull=False)),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(application=None) ^ models.Q(collection=None), name="sample_of_one_place"
            )
        ]
