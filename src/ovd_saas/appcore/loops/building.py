"""Building: a pushed release becomes ready or failed; its log can be followed meanwhile. Floor 2."""

import threading
import time
from datetime import datetime
from typing import Any

import structlog
from django.db import transaction
from django.db.models import F, Q, Value
from django.db.models.functions import Concat
from django.utils import timezone

from ovd_saas.appcore import releases
from ovd_saas.domain import releases as states
from ovd_saas.engines import base
from ovd_saas.engines.base import Engine
from ovd_saas.files import Missing
from ovd_saas.files import store as files
from ovd_saas.store import transitions
from ovd_saas.store.notices import notify
from ovd_saas.store.records import Application, Release

log = structlog.get_logger()
FLUSH_SECONDS = 0.3
LARGEST_LOG = 1 << 20  # characters


class Building:
    """One tick builds one release. Several threads may tick; each takes another release."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._taken: set[int] = set()

    def tick(self) -> bool:
        release = self._take()
        if release is None:
            return False
        try:
            return self._build(release)
        finally:
            with self._lock:
                self._taken.discard(release.pk)

    def _take(self) -> Release | None:
        with self._lock:
            waiting = Release.objects.filter(state=states.BUILDING).exclude(pk__in=self._taken)
            release = waiting.select_related("application", "created_by").order_by("pk").first()
            if release:
                self._taken.add(release.pk)
            return release

    def _build(self, release: Release) -> bool:
        build_log = BuildLog(release)
        began = time.monotonic()
        Release.objects.filter(pk=release.pk).update(begun_at=timezone.now())
        try:
            prepared = self._engine.prepare(release.digest, files.chunks(release.digest), build_log.add)
        except base.RunnerDown:
            build_log.add("The runner went away; the build begins again when it is back.\n")
            build_log.flush()
            return False
        except (base.EngineError, Missing) as error:
            build_log.flush()
            stage = getattr(error, "stage", "platform")
            transitions.release(release.pk, states.FAIL, error=f"{stage}: {error}", seconds=time.monotonic() - began)
            return True
        build_log.flush()
        self._finish(release, prepared, timezone.now())
        return True

    @transaction.atomic
    def _finish(self, release: Release, prepared: base.Prepared, now: datetime) -> None:
        """Ready, and current, unless a newer one was faster or somebody else has finished this one."""
        is_ours = transitions.release(
            release.pk,
            states.SUCCEED,
            environment=prepared.environment,
            manifest=prepared.manifest,
            schema=prepared.schema,
            description=releases.description(release.digest, prepared.manifest),
            seconds=prepared.seconds,
            ready_at=now,
            findings=findings(prepared, by="", now=now),
        )
        release.refresh_from_db()
        Application.objects.select_for_update().get(pk=release.application_id)  # one of two builds comes second
        newer = Q(release__number__gt=release.number) | Q(upcoming__number__gt=release.number)
        if not is_ours or Application.objects.filter(newer, pk=release.application_id).exists():
            return
        by = f"user:{release.created_by.get_username()}" if release.created_by else "appcore"
        releases.use(release=release, by=by, now=now)


def findings(prepared: base.Prepared, *, by: str, now: datetime) -> dict[str, Any]:
    """What a build found, as `Release.findings`."""
    return {
        "at": now.isoformat(), "by": by, "seconds": prepared.seconds, "samples": prepared.samples, "error": "",
        "python": prepared.python, "environment_mb": prepared.environment_mb,
    }  # fmt: skip


class BuildLog:
    """Appends lines to the release's log, a few times a second."""

    def __init__(self, release: Release) -> None:
        self._release = release
        self._pending: list[str] = []
        self._flushed_at = 0.0
        self._left = LARGEST_LOG
        Release.objects.filter(pk=release.pk).update(log="")

    def add(self, text: str) -> None:
        """A line, which the runner sends with or without its end."""
        text = text if text.endswith("\n") else text + "\n"
        if self._left > 0:
            self._pending.append(text[: self._left])
        self._left -= len(text)
        if time.monotonic() - self._flushed_at > FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        self._flushed_at = time.monotonic()
        text = "".join(self._pending).replace("\x00", "\ufffd")
        self._pending.clear()
        if text:
            Release.objects.filter(pk=self._release.pk).update(log=Concat(F("log"), Value(text)))
            notify("release", id=self._release.pk, application=self._release.application_id)
