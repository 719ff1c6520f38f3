"""The shared parts of pages as a Django application (for its template tags)."""

from django.apps import AppConfig


class AssetsConfig(AppConfig):
    name = "ovd_saas.assets"
    label = "assets"
