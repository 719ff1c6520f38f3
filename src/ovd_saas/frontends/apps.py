"""The applications' own pages as a Django application (for templates and static files). Floor 3."""

from django.apps import AppConfig


class FrontendsConfig(AppConfig):
    name = "ovd_saas.frontends"
    label = "frontends"
