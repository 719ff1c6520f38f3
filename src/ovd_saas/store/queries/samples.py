"""Samples, as doors read them: those added to an application, and shared collections. Floor 1."""

from collections.abc import Collection as Several

from django.db.models import Count, Q, QuerySet

from ovd_saas.store.records import Application, Collection, Sample

_THERE = Q(removed_at=None)


def own(application: Application) -> QuerySet[Sample]:
    """Those added to the application itself, in their order."""
    return Sample.objects.filter(_THERE, application=application).order_by("position", "pk")


def shared(application: Application) -> QuerySet[Sample]:
    """Those of the collections that it offers, collection by collection."""
    rows = Sample.objects.filter(_THERE, collection__applications=application).select_related("collection")
    return rows.order_by("collection__title", "collection_id", "position", "pk")


def of_collection(collection: Collection) -> QuerySet[Sample]:
    return Sample.objects.filter(_THERE, collection=collection).order_by("position", "pk")


def by_id(id_: int) -> Sample | None:
    """Also one that was removed lately."""
    rows = Sample.objects.filter(pk=id_)
    return rows.select_related("application__organisation", "application__release", "collection__organisation").first()


def offered_by(application: Application, id_: int) -> Sample | None:
    """One that this application offers, its own or a shared one."""
    theirs = Q(application=application) | Q(collection__applications=application)
    return Sample.objects.filter(_THERE, theirs, pk=id_).first()


def collections(organisations: Several[str] | None) -> QuerySet[Collection]:
    """Of these organisations (None: of all), each with `sample_count` and `application_count`."""
    rows = Collection.objects.select_related("organisation").order_by("organisation__slug", "title")
    if organisations is not None:
        rows = rows.filter(organisation__slug__in=organisations)
    there = Count("samples", filter=Q(samples__removed_at=None), distinct=True)
    return rows.annotate(sample_count=there, application_count=Count("applications", distinct=True))


def collection(organisation: str, slug: str) -> Collection | None:
    rows = Collection.objects.filter(organisation__slug=organisation, slug=slug)
    return rows.select_related("organisation").first()


def linked(application: Application) -> QuerySet[Collection]:
    """The collections that it offers."""
    return collections(None).filter(pk__in=application.collections.values("pk"))
