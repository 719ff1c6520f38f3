"""Search: what a person may see, found by a few words: applications, releases, executions, machines, people. Floor 1.

Each answers with a handful, the best first, and looks at bounded parts of the largest tables.
"""

import re
from uuid import UUID

from django.db import connection
from django.db.models import Case, IntegerField, Q, QuerySet, Value, When

from ovd_saas.domain import processes as processing
from ovd_saas.store.queries import applications as visible
from ovd_saas.store.queries import panel
from ovd_saas.store.queries.applications import Viewer
from ovd_saas.store.records import Application, Execution, Release, Runner, User

MOST = 8  # of each kind
LOOKED_AT = 50_000  # newest executions in which any part of an id is looked for

_ID = re.compile(r"[0-9a-f-]{4,36}")
_NUMBERED = re.compile(r"(?P<name>\S.*?)\s+(?:(?:release|version)\s+|r|v|#)?(?P<number>\d{1,9})", re.IGNORECASE)
_PART = """
    SELECT id FROM (SELECT id FROM store_execution ORDER BY id DESC LIMIT %s) AS newest
    WHERE id::text LIKE %s ORDER BY id DESC LIMIT %s"""


def applications(viewer: Viewer, text: str, *, most: int = MOST) -> list[Application]:
    """Those with every word in address, title or summary, or with "org/name" in their address; names that begin with
    the text come first."""
    org, slash, name = text.strip().rpartition("/")
    rank = Case(
        When(name__iexact=name, then=Value(0)),
        When(Q(name__istartswith=name) | Q(title__istartswith=name), then=Value(1)),
        When(Q(name__icontains=name) | Q(title__icontains=name), then=Value(2)),
        default=Value(3),
        output_field=IntegerField(),
    )
    rows = panel.found(viewer, text="" if slash else text)
    if slash:
        rows = rows.filter(organisation__slug__icontains=org.strip(), name__icontains=name)
    rows = rows.annotate(rank=rank).order_by("rank", "organisation__slug", "name")
    return visible.listed(list(rows.values_list("pk", flat=True)[:most]))


def releases(viewer: Viewer, text: str, *, most: int = MOST) -> list[Release]:
    """ "acme/echo 3": release 3 of the applications that the words before the number find."""
    match = _NUMBERED.fullmatch(text.strip())
    if match is None:
        return []
    found = [row.pk for row in applications(viewer, match["name"], most=50)]
    rows = Release.objects.filter(application__in=found, number=int(match["number"]))
    named = {row.application_id: row for row in rows.select_related("application__organisation").defer("log", "schema")}
    return [named[id_] for id_ in found if id_ in named][:most]


def executions(viewer: Viewer, text: str, *, most: int = MOST) -> list[Execution]:
    """Those whose id begins with the text, among all; or has it anywhere, among the newest ones."""
    part = text.strip().lower().lstrip("…")
    if not _ID.fullmatch(part) or len(part.replace("-", "")) < 4:
        return []
    first, last = _bounds(part)
    rows = _seen(viewer, Execution.objects.all())
    found = list(rows.filter(id__gte=first, id__lte=last).order_by("-id")[:most]) if first and last else []
    if len(found) < most:
        known = {row.pk for row in found}
        with connection.cursor() as cursor:
            cursor.execute(_PART, [LOOKED_AT, f"%{part}%", 200])
            ids = [id_ for (id_,) in cursor.fetchall() if id_ not in known]
        if ids:
            found += list(rows.filter(id__in=ids).order_by("-id")[: most - len(found)])
    return found


def _bounds(part: str) -> tuple[UUID | None, UUID | None]:
    """The least and the greatest id that begin with the text; None where its hyphens are elsewhere."""
    figures = part.replace("-", "")
    whole = figures.ljust(32, "0")
    dashed = str(UUID(whole)) if len(figures) <= 32 else ""
    if not dashed.startswith(part) and "-" in part:
        return None, None
    return UUID(whole), UUID(figures.ljust(32, "f"))


def _seen(viewer: Viewer, rows: QuerySet[Execution]) -> QuerySet[Execution]:
    rows = rows.select_related("application__organisation").only(
        "id", "status", "created_at", "application__name", "application__title", "application__organisation__slug"
    )
    return rows if viewer.is_staff else rows.filter(application__organisation__slug__in=list(viewer.roles))


def machines(viewer: Viewer, text: str, *, most: int = MOST) -> list[Runner]:
    """By name; staff find all, others those on which processes of their applications live."""
    rows = Runner.objects.filter(name__icontains=text.strip())
    if not viewer.is_staff:
        living = Q(processes__application__organisation__slug__in=list(viewer.roles))
        rows = rows.filter(living & ~Q(processes__state=processing.ENDED)).distinct()
    return list(rows.order_by("name")[:most])


def people(organisations: list[str] | None, text: str, *, most: int = MOST) -> list[User]:
    """By name or e-mail, of these organisations; None: of all."""
    word = text.strip()
    rows = User.objects.filter(Q(username__icontains=word) | Q(email__icontains=word) | Q(last_name__icontains=word))
    if organisations is not None:
        rows = rows.filter(memberships__organisation__slug__in=organisations).distinct()
    return list(rows.order_by("username")[:most])
