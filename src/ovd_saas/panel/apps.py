"""The Control Panel as a Django application (for its templates and static files). Floor 3."""

from django.apps import AppConfig


class PanelConfig(AppConfig):
    name = "ovd_saas.panel"
    label = "panel"
