"""Loose files: let go of bytes, and remove those that nothing refers to any more. Floor 2: may use store, files.

Bytes are stored before the row that refers to them, and many rows may refer to the same bytes. So nothing is removed at
once: after a grace, in which no reference went and nobody stored them again, every column that names bytes is asked.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from ovd_saas.files import store as files
from ovd_saas.store.queries import loose_files as queries
from ovd_saas.store.records import LooseFile

GRACE = timedelta(hours=1)  # far longer than storing bytes and then writing the row takes
AT_ONCE = 500


def let_go(digests: Iterable[str], *, now: datetime) -> None:
    """Afterwards these bytes are looked at when the grace is over: a reference to each has gone."""
    LooseFile.objects.bulk_create(
        [LooseFile(digest=digest, since=now) for digest in sorted(set(digests))],
        update_conflicts=True,
        unique_fields=["digest"],
        update_fields=["since"],
    )


def sweep(*, now: datetime, grace: timedelta = GRACE) -> int:
    """Afterwards bytes let go before the grace are gone, unless somebody needs them; how many were looked at."""
    loose = list(LooseFile.objects.filter(since__lt=now - grace).order_by("since")[:AT_ONCE])
    if not loose:
        return 0
    needed = queries.in_use([row.digest for row in loose])
    for row in loose:
        same = LooseFile.objects.filter(pk=row.pk, since=row.since)  # not let go again meanwhile
        if row.digest in needed or files.remove_untouched(row.digest, now - grace):
            same.delete()
        else:
            same.update(since=now)  # stored again lately: its row may be on its way
    return len(loose)
