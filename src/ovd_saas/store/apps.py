"""The one Django application: every record lives here. Floor 1."""

from django.apps import AppConfig


class StoreConfig(AppConfig):
    name = "ovd_saas.store"
    label = "store"
    default_auto_field = "django.db.models.BigAutoField"

    def import_models(self) -> None:
        from ovd_saas.store import records  # noqa: F401 - Django looks for models in `models`; ours are `records`

        super().import_models()
