"""Applications, as doors read them. Floor 1."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from django.db.models import OuterRef, Q, QuerySet, Subquery

from ovd_saas.store.queries import pages
from ovd_saas.store.records import Application, Execution

_RELATED = ("organisation", "release", "model", "upstream__organisation", "created_by")
_NOT_LISTED = ("release__log", "release__schema", "release__description", "model__metrics", "model__reason")


class Viewer(Protocol):
    """Who looks: staff see everything, others what belongs to organisations in which they have a role."""

    @property
    def is_staff(self) -> bool: ...
    @property
    def roles(self) -> Mapping[str, str]: ...


def of(viewer: Viewer) -> QuerySet[Application]:
    """What the viewer may see, by address. Of many, take the ids of some, and then `listed`: nothing wide is sorted."""
    rows = Application.objects.order_by("organisation__slug", "name")
    return rows if viewer.is_staff else rows.filter(organisation__slug__in=list(viewer.roles))


def listed(ids: Sequence[int]) -> list[Application]:
    """These that are still there, in this order, with what lists show of them."""
    found = Application.objects.select_related(*_RELATED).defer(*_NOT_LISTED).in_bulk(ids)
    return [found[id_] for id_ in ids if id_ in found]


def page_of(viewer: Viewer, *, before: str | None = None, limit: int = pages.USUAL_LIMIT) -> pages.Page[Application]:
    """A page of `of(viewer)`; `before` is the cursor of the page before. Raises BadCursor."""
    rows = of(viewer)
    if before is not None:
        organisation, name = pages.after(before, str, str)
        rows = rows.filter(Q(organisation__slug__gt=organisation) | Q(organisation__slug=organisation, name__gt=name))
    places = list(rows.values_list("pk", "organisation__slug", "name")[: limit + 1])
    items = listed([id_ for id_, *_ in places[:limit]])
    return pages.Page(items, pages.cursor(*places[limit - 1][1:]) if len(places) > limit else None)


def by_address(organisation: str, name: str) -> Application | None:
    return Application.objects.select_related(*_RELATED).filter(organisation__slug=organisation, name=name).first()


def last_executions(ids: list[int]) -> dict[int, Execution]:
    """The newest execution of each of these applications that has one; two queries."""
    rows = Execution.objects.filter(application=OuterRef("pk")).order_by("-created_at", "-id")
    newest = Application.objects.filter(pk__in=ids).values_list(Subquery(rows.values("pk")[:1]), flat=True)
    found = Execution.objects.filter(pk__in=[id_ for id_ in newest if id_]).only(
        "id", "application_id", "status", "created_at", "finished_at", "seconds"
    )
    return {row.application_id: row for row in found}
