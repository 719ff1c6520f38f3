"""Sample places: an application or a collection as a place of samples, and its samples as pages show them. Floor 3."""

from dataclasses import dataclass
from typing import Any

from django.http import Http404
from django.urls import reverse

from ovd_saas.appcore import access
from ovd_saas.appcore import samples as verbs
from ovd_saas.assets import found, kinds
from ovd_saas.assets.form import Prefilled
from ovd_saas.assets.kinds import PICTURES, Shown
from ovd_saas.store.queries import samples
from ovd_saas.store.records import Application, Collection, Sample


@dataclass(frozen=True)
class Row:
    """One sample in a list."""

    sample: Sample
    values: list[Shown]
    fits: bool  # its application, or every one that offers its collection
    open_inputs: tuple[str, ...] = ()  # labels of required inputs that the visitor fills in

    @property
    def picture(self) -> str:
        return next((one.url for one in self.values if one.is_picture), "")


def of(place: Application | Collection) -> str:
    """The address of the page that lists its samples."""
    if isinstance(place, Application):
        return reverse("panel:application", args=[place.organisation.slug, place.name]) + "?tab=samples"
    return reverse("panel:collection", args=[place.organisation.slug, place.slug])


def schema_of(application: Application | None) -> dict[str, Any]:
    """Of the inputs of its current release."""
    release = application.release if application else None
    schema: dict[str, Any] = release.schema.get("inputs", {}) if release else {}
    return schema


def rows(listed: list[Sample], schemas: list[dict[str, Any]]) -> list[Row]:
    return [row(sample, schemas) for sample in listed]


def row(sample: Sample, schemas: list[dict[str, Any]]) -> Row:
    fitted = [verbs.fitted(sample.inputs, schema) for schema in schemas]
    schema = schemas[0] if schemas else {}
    inputs = fitted[0] if fitted and fitted[0] is not None else sample.inputs
    properties = schema.get("properties", {})
    left = tuple(
        str(properties[name].get("title", name))
        for name in schema.get("required", [])
        if fitted and fitted[0] is not None and name not in inputs
    )
    return Row(sample, kinds.shown(schema, inputs, _address(sample)), None not in fitted, left)


def _address(sample: Sample) -> Any:
    def address(_name: str, _kind: str, value: Any) -> str:
        return file_address(sample, value["digest"]) if verbs.is_file(value) else ""

    return address


def file_address(sample: Sample, digest: str) -> str:
    return reverse("panel:sample_file", args=[sample.pk, digest])


def prefilled(sample: Sample, inputs: dict[str, Any]) -> dict[str, Prefilled]:
    """Its files for a form, by field."""
    return {
        name: Prefilled(
            value["name"], file_address(sample, value["digest"]), f"own:{sample.pk}", value["media_type"] in PICTURES,
            value["media_type"],
        )
        for name, value in inputs.items()
        if verbs.is_file(value)
    }  # fmt: skip


def file_inputs(schema: dict[str, Any]) -> list[tuple[str, str]]:
    """Name and label of the inputs that files can become: files, pictures, and series and tables as CSV."""
    properties = schema.get("properties", {})
    return [
        (name, str(properties[name].get("title", name)))
        for name in kinds.ordered(properties)
        if properties[name].get("x-ovd", {}).get("kind") in (*verbs.FILE_KINDS, *verbs.PARSED_KINDS)
    ]


def sample(by: access.Caller, id_: int, verb: str = access.SEE) -> Sample:
    """Raises Http404 when it is not theirs to see, PermissionDenied when their role does not allow the verb."""
    row = samples.by_id(id_)
    if row is None or not access.may(by, access.SEE, verbs.place_of(row).organisation.slug):
        raise Http404("No such sample.")
    found.demand(by, verb, verbs.place_of(row).organisation.slug)
    return row


def collection(by: access.Caller, org: str, slug: str, verb: str = access.SEE) -> Collection:
    """Likewise."""
    row = samples.collection(org, slug)
    if row is None or not access.may(by, access.SEE, org):
        raise Http404("No such collection.")
    found.demand(by, verb, org)
    return row
