"""How far the data of an application has drifted, as doors read it. Floor 1."""

from ovd_saas.store.records import Application, DriftMeasure

HISTORY = 200  # looks


def history(application: Application, *, most: int = HISTORY) -> list[DriftMeasure]:
    """The latest looks, the oldest first, without what the next one goes on from; the last one is what is so now."""
    rows = DriftMeasure.objects.filter(application=application).select_related("model").defer("window")
    return list(rows.order_by("-id")[:most])[::-1]


def why_not_measured(application: Application) -> str:
    """A sentence about an application that has no measure yet. Read it with its release."""
    manifest = application.release.manifest if application.release else {}
    if manifest.get("drift") is None:
        return "Drift is not watched: the manifest has no table [drift]."
    if application.model_id is None:
        return "Nothing to compare with yet: no version is live."
    return "Nothing was looked at yet."
