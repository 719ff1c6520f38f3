"""Adoptions: an application that runs another one's releases on data of its own. Floor 2: may use store, domain.

What is shared is the release alone: the same archive and environment, by their digests. Data, models, people and
limits are the adopter's. Nothing of the upstream changes, and a later release of it waits until somebody takes it.
"""

from datetime import datetime

from django.db import transaction

from ovd_saas.appcore import applications, editions, releases
from ovd_saas.appcore.refusals import Refusal
from ovd_saas.domain import releases as states
from ovd_saas.domain import status
from ovd_saas.store.notices import notify
from ovd_saas.store.records import Application, Organisation, Release


class NotAdoptable(Refusal):
    """The other application has no release that could be run, or takes part in no adoption any more."""

    code = "not_adoptable"


class NothingToTake(Refusal):
    """The upstream's release runs here already, or there is none."""

    code = "nothing_to_take"


def adopt(
    *, upstream: Application, organisation: Organisation, name: str, title: str = "", summary: str = "", by: str,
    by_id: int | None, now: datetime,
) -> Application:  # fmt: skip
    """Afterwards the organisation has an application of that name that runs the upstream's current release, enabled
    and asleep, without data or models yet. The caller has seen to it that the person may see the upstream.

    Raises NotAdoptable, applications.BadName, applications.NameTaken.
    """
    if upstream.status == status.RETIRED:
        raise NotAdoptable(f"{upstream.address} is retired, so nobody can adopt it any more.")
    if upstream.release is None:
        raise NotAdoptable(f"{upstream.address} has no ready release yet. Adopt it when it has one.")
    with transaction.atomic():
        made = applications.draft(
            organisation=organisation, name=name, title=title or upstream.title, summary=upstream.summary, by=by,
            by_id=by_id, now=now,
        )  # fmt: skip
        Application.objects.filter(pk=made.pk).update(upstream=upstream)
        release = _copied(upstream, upstream.release, made, by_id, now)
        releases.take_over(application=editions.locked(made.pk), release=release, by=by, now=now)
        own = {name: words for name, words in (("title", title), ("summary", summary)) if words}
        if own:
            Application.objects.filter(pk=made.pk).update(**own)
    made.refresh_from_db()
    return made


def offered(application: Application) -> Release | None:
    """The upstream's current release, where that is not what runs or comes here; None when there is nothing to take."""
    if application.upstream_id is None or application.status == status.RETIRED:
        return None
    upstream = Application.objects.select_related("release").get(pk=application.upstream_id)
    release = upstream.release
    here = {one.digest for one in (application.release, application.upcoming) if one is not None}
    if release is None or release.withdrawn_at is not None or release.digest in here:
        return None
    return release


def take(*, application: Application, number: int, by: str, by_id: int | None, now: datetime) -> Application:
    """Afterwards the upstream's release `number` is a release here, and current or upcoming as `releases.use` says.
    Raises NothingToTake with what is offered instead, releases.Unready."""
    with transaction.atomic():
        application = editions.locked(application.pk)
        release = offered(application)
        if application.upstream is None or release is None:
            raise NothingToTake(f"{application.address} runs the newest release that is offered to it already.")
        if release.number != number:
            raise NothingToTake(
                f"{application.upstream.address} offers release {release.number} now, not {number}. "
                "Look at the page again, and take that one."
            )
        known = application.releases.filter(digest=release.digest, state=states.READY).order_by("-number").first()
        own = known or _copied(application.upstream, release, application, by_id, now)
        return releases.use(release=own, by=by, now=now)


def _copied(
    upstream: Application, release: Release, application: Application, by_id: int | None, now: datetime
) -> Release:
    last = application.releases.order_by("-number").values_list("number", flat=True).first() or 0
    made = Release.objects.create(
        application=application, number=last + 1, state=states.READY, digest=release.digest,
        environment=release.environment, manifest=release.manifest, schema=release.schema,
        description=release.description, size=release.size, seconds=release.seconds, created_by_id=by_id, ready_at=now,
        log=f"Adopted: release {release.number} of {upstream.address}, built there.\n",
    )  # fmt: skip
    notify("release", id=made.pk, application=application.pk)
    return made
