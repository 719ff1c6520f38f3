"""Checking: the samples of a release run again on the runner, because a person asked. Floor 2."""

from datetime import datetime

from django.utils import timezone

from ovd_saas.appcore.loops.building import findings
from ovd_saas.domain import releases as states
from ovd_saas.engines import base
from ovd_saas.engines.base import Engine
from ovd_saas.files import Missing
from ovd_saas.files import store as files
from ovd_saas.store.notices import notify
from ovd_saas.store.records import Release


class Checking:
    """One tick checks one release, the one that waits longest."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def tick(self) -> bool:
        """True if there may be more."""
        rows = Release.objects.filter(check_asked_at__isnull=False, state=states.READY)
        release = rows.order_by("check_asked_at").first()
        if release is None:
            return False
        try:
            found = self._check(release)
        except base.RunnerDown:
            return False  # asked again when it is back
        now = timezone.now()
        said = {**(release.findings or {}), **found, "at": now.isoformat(), "by": release.check_asked_by}
        self._note(release, said, release.check_asked_at)
        return True

    def _check(self, release: Release) -> dict[str, object]:
        try:
            found = self._engine.check(release.digest, lambda text: None)
            return {"samples": found.samples, "seconds": found.seconds, "error": found.error}
        except base.NotPrepared:
            return self._prepare(release)
        except base.RunnerDown:
            raise
        except base.EngineError as error:
            return {"samples": [], "error": str(error)}

    def _prepare(self, release: Release) -> dict[str, object]:
        """A machine that lacks it makes it ready, and runs its samples with that."""
        try:
            prepared = self._engine.prepare(release.digest, files.chunks(release.digest), lambda text: None)
            return findings(prepared, by="", now=timezone.now())
        except base.RunnerDown:
            raise
        except (base.EngineError, Missing) as error:
            return {"samples": [], "error": str(error)}

    def _note(self, release: Release, said: dict[str, object], asked_at: datetime | None) -> None:
        """Somebody who asked once more meanwhile is served by the next tick."""
        Release.objects.filter(pk=release.pk).update(findings=said)
        Release.objects.filter(pk=release.pk, check_asked_at=asked_at).update(check_asked_at=None, check_asked_by="")
        notify("release", id=release.pk, application=release.application_id)
