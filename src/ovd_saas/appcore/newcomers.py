"""Newcomers: a folder becomes an application that was not there before. Floor 2: may use store, files."""

from datetime import datetime

from ovd_saas.appcore import applications, loose_files, releases
from ovd_saas.appcore.refusals import Refusal
from ovd_saas.files import Stored
from ovd_saas.files import store as files
from ovd_saas.store.records import Application, Organisation, Release


def publish(*, organisation: Organisation, archive: Stored, by: str, by_id: int | None, now: datetime) -> Release:
    """Afterwards release 1 of a new application, named by its manifest, is being built from this tar.gz.

    Unlike a push, it never becomes a release of an application that is there. Raises applications.NameTaken,
    applications.BadName, releases.BadArchive; then the archive is let go.
    """
    try:
        with files.open(archive.digest) as opened:
            name = releases.read_manifest(opened).get("name", "")
        if isinstance(name, str) and Application.objects.filter(organisation=organisation, name=name).exists():
            raise applications.NameTaken(
                f"{organisation.slug} has an application {name} already. Write another name at the top of ovd.toml, or "
                "make this its next release: `ovd push`, or the tab Releases of its page."
            )
    except Refusal:
        loose_files.let_go([archive.digest], now=now)
        raise
    return releases.submit(
        organisation=organisation, name=None, digest=archive.digest, size=archive.size, by=by, by_id=by_id, now=now
    )
