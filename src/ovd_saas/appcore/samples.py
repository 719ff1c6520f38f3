"""Samples: example inputs added to an application or to a collection; collections shared by applications. Floor 2: may
use store, files.

A sample need not fill every input: what it leaves open the visitor fills in. What it does fill has to fit.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils.text import slugify

from ovd import schema as rules
from ovd import sniff
from ovd.schema import FieldError
from ovd_saas.appcore import loose_files
from ovd_saas.appcore.refusals import Refusal
from ovd_saas.files import store as files
from ovd_saas.store.notices import notify
from ovd_saas.store.records import Application, Collection, Organisation, Sample

MOST = 500  # samples of one place
LONGEST_TITLE = 200
FILE_KINDS = ("image", "file")
PARSED_KINDS = ("series", "table")
UNDO = timedelta(hours=1)  # in which a removed sample can come back

Place = Application | Collection


class BadSample(Refusal):
    """It cannot be a sample; each error names a field."""

    code = "bad_sample"
    http = 422


class Gone(Refusal):
    """Somebody removed it meanwhile."""

    code = "gone"


class Taken(Refusal):
    """There is such a collection already."""

    code = "name_taken"


def checked(schema: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """These inputs in canonical form; a file is `{name, media_type, size, digest}` of the file store. Raises BadSample
    with an error for each value that does not fit; an input that is missing is not wrong."""
    abouts = {name: value for name, value in values.items() if is_file(value)}
    plain = {name: value for name, value in values.items() if name not in abouts}
    heads = {name: _head(about) for name, about in abouts.items()}
    found, errors = rules.accept(_only(schema, values), plain, heads)
    if errors:
        raise BadSample(_sentence(errors), errors=errors)
    return {**found, **abouts}


def fitted(inputs: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """The inputs of a sample for an application with this schema, or None when they do not fit it.

    A sample that is one file fits any application that takes one file of its kind, whatever that input is called.
    """
    properties: Mapping[str, Any] = schema.get("properties", {})
    if not set(inputs) <= set(properties):
        takers = [name for name, prop in properties.items() if _kind(prop) in FILE_KINDS]
        if len(inputs) != 1 or len(takers) != 1:
            return None
        inputs = {takers[0]: next(iter(inputs.values()))}
    plain = {name: value for name, value in inputs.items() if not is_file(value)}
    if not all(_takes(properties[name], value) for name, value in inputs.items() if is_file(value)):
        return None
    if any(_kind(properties[name]) in FILE_KINDS for name in plain) or rules.accept(_only(schema, plain), plain)[1]:
        return None
    return dict(inputs)


def from_file(schema: Mapping[str, Any], name: str, about: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs of a sample out of one file for the input `name`: the file itself, or the numbers it holds. Raises
    BadSample."""
    prop = schema.get("properties", {}).get(name)
    kind = _kind(prop or {})
    if prop is None or kind not in (*FILE_KINDS, *PARSED_KINDS):
        raise BadSample(f"There is no input {name!r} that takes a file.", errors=[FieldError(name, "takes no file.")])
    if kind in FILE_KINDS:
        return checked(schema, {name: dict(about)})
    with files.open(about["digest"]) as opened:
        data = opened.read()
    try:
        return checked(schema, {name: rules.parse_upload(kind, data, about["media_type"])})
    except ValueError as error:
        raise BadSample(f"{about['name']}: {error}", errors=[FieldError(name, str(error))]) from None


def add(
    *,
    place: Place,
    title: str,
    inputs: Mapping[str, Any],
    credit: str = "",
    licence: str = "",
    by_id: int | None,
    now: datetime,
) -> Sample:
    """Afterwards the place has one more, the last one. `inputs` are checked. Raises BadSample."""
    texts = _texts(title, credit, licence)
    with transaction.atomic():
        _lock(place)
        there = _of(place)
        if there.count() >= MOST:
            raise BadSample(f"There are {MOST} samples already. Remove some, or put these into a collection.")
        last = there.aggregate(last=Max("position"))["last"]
        made = Sample.objects.create(
            **_where(place), **texts, inputs=dict(inputs), position=0 if last is None else last + 1, created_at=now,
            created_by_id=by_id,
        )  # fmt: skip
        _tell(place)
    return made


def change(
    *,
    sample: Sample,
    title: str,
    credit: str,
    licence: str,
    inputs: Mapping[str, Any] | None = None,
    now: datetime,
) -> None:
    """Afterwards it says this; inputs that are None stay. Raises BadSample, Gone."""
    values: dict[str, Any] = _texts(title, credit, licence)
    if inputs is not None:
        values["inputs"] = dict(inputs)
    with transaction.atomic():
        row = Sample.objects.select_for_update().filter(pk=sample.pk, removed_at=None).first()
        if row is None:
            raise Gone("Somebody removed this sample meanwhile, so nothing was changed.")
        Sample.objects.filter(pk=row.pk).update(**values)
        if inputs is not None:
            loose_files.let_go(digests(row.inputs) - digests(inputs), now=now)
        _tell(place_of(sample))
    sample.refresh_from_db()


def reorder(*, place: Place, ids: Sequence[int]) -> None:
    """Afterwards its samples stand in this order; those that are not named come after, as they were."""
    with transaction.atomic():
        _lock(place)
        rows = list(_of(place).order_by("position", "pk").only("pk", "position"))
        wanted = {id_: at for at, id_ in reversed(list(enumerate(ids)))}
        rows.sort(key=lambda row: wanted.get(row.pk, len(wanted)))
        for at, row in enumerate(rows):
            row.position = at
        Sample.objects.bulk_update(rows, ["position"])
        _tell(place)


def move(*, sample: Sample, by: int) -> None:
    """Afterwards it stands so many places further down (up: below 0), as far as there are any."""
    place = place_of(sample)
    ids = list(_of(place).order_by("position", "pk").values_list("pk", flat=True))
    if sample.pk not in ids:
        raise Gone("Somebody removed this sample meanwhile, so nothing was moved.")
    at = ids.index(sample.pk)
    ids.insert(min(max(at + by, 0), len(ids) - 1), ids.pop(at))
    reorder(place=place, ids=ids)


def remove(*, sample: Sample, now: datetime) -> None:
    """Afterwards nobody is offered it; for an hour it can be restored. Raises Gone."""
    with transaction.atomic():
        if not Sample.objects.filter(pk=sample.pk, removed_at=None).update(removed_at=now):
            raise Gone("This sample was removed already.")
        _tell(place_of(sample))


def restore(*, sample: Sample) -> None:
    """Afterwards it is there again, where it was. Raises Gone."""
    with transaction.atomic():
        if not Sample.objects.filter(pk=sample.pk, removed_at__isnull=False).update(removed_at=None):
            raise Gone("This sample is there: nothing had to be restored.")
        _tell(place_of(sample))


def sweep(*, now: datetime) -> None:
    """Afterwards the samples that were removed too long ago to come back are gone, and their files let go."""
    with transaction.atomic():
        rows = list(Sample.objects.select_for_update().filter(removed_at__lt=now - UNDO)[:MOST])
        if rows:
            loose_files.let_go({digest for row in rows for digest in digests(row.inputs)}, now=now)
            Sample.objects.filter(pk__in=[row.pk for row in rows]).delete()


def collect(*, organisation: Organisation, title: str, by_id: int | None, now: datetime) -> Collection:
    """Afterwards the organisation has a collection of this title, without samples. Raises BadSample, Taken."""
    title = _texts(title, "", "")["title"]
    slug = slugify(title)[:40].strip("-")
    if not slug:
        raise BadSample("The title needs a letter or a digit, as the address is made of it.")
    try:
        with transaction.atomic():
            return Collection.objects.create(
                organisation=organisation, slug=slug, title=title, created_at=now, created_by_id=by_id
            )
    except IntegrityError:
        raise Taken(f"{organisation.slug} has a collection {slug!r} already. Choose another title.") from None


def rename(*, collection: Collection, title: str) -> None:
    """Afterwards it has this title; its address stays. Raises BadSample."""
    Collection.objects.filter(pk=collection.pk).update(title=_texts(title, "", "")["title"])
    collection.refresh_from_db()


def discard(*, collection: Collection, now: datetime) -> None:
    """Afterwards the collection and its samples are gone for good. Raises BadSample while applications offer it."""
    with transaction.atomic():
        _lock(collection)
        if collection.applications.exists():
            raise BadSample("Applications offer this collection. Unlink it from them first.")
        rows = Sample.objects.filter(collection=collection)
        loose_files.let_go({digest for inputs in rows.values_list("inputs", flat=True) for digest in digests(inputs)},
                           now=now)  # fmt: skip
        collection.delete()


def link(*, collection: Collection, application: Application) -> None:
    """Afterwards the application offers the samples of the collection that fit it. Raises BadSample for another
    organisation's."""
    if collection.organisation_id != application.organisation_id:
        raise BadSample("A collection is offered by applications of its own organisation only.")
    with transaction.atomic():
        collection.applications.add(application)
        notify("sample", application=application.pk)


def unlink(*, collection: Collection, application: Application) -> None:
    """Afterwards it offers them no more."""
    with transaction.atomic():
        collection.applications.remove(application)
        notify("sample", application=application.pk)


def let_go(about: Mapping[str, Any], *, now: datetime) -> None:
    """Afterwards a file that became no sample is not kept for it."""
    loose_files.let_go([about["digest"]], now=now)


def place_of(sample: Sample) -> Place:
    place = sample.application or sample.collection
    assert place is not None  # the database sees to that
    return place


def is_file(value: Any) -> bool:
    return isinstance(value, dict) and "digest" in value and "media_type" in value


def digests(inputs: Mapping[str, Any]) -> set[str]:
    """Of its files."""
    return {value["digest"] for value in inputs.values() if is_file(value)}


def title_of(name: str) -> str:
    """ "river_thames-2.png" -> "River thames 2"."""
    stem = name.rsplit("/", 1)[-1].rsplit(".", 1)[0] or name
    words = " ".join(stem.replace("_", " ").replace("-", " ").split())
    return (words[:1].upper() + words[1:])[:LONGEST_TITLE] or "Sample"


def _texts(title: str, credit: str, licence: str) -> dict[str, str]:
    texts = {"title": title, "credit": credit, "licence": licence}
    texts = {name: text.replace("\x00", "").strip() for name, text in texts.items()}
    errors = [] if texts["title"] else [FieldError("title", "is empty. Say in a few words what it shows.")]
    for name, longest in (("title", LONGEST_TITLE), ("credit", 300), ("licence", 100)):
        if len(texts[name]) > longest:
            errors.append(FieldError(name, f"has {len(texts[name])} characters; at most {longest} are kept."))
    if errors:
        raise BadSample(_sentence(errors), errors=errors)
    return texts


def _sentence(errors: Iterable[FieldError]) -> str:
    return " ".join(f"“{error.field}” {error.message}" for error in errors)


def _only(schema: Mapping[str, Any], values: Iterable[str]) -> dict[str, Any]:
    """The schema of the inputs that are there, and nothing missing."""
    named = set(values)
    properties = {name: prop for name, prop in schema.get("properties", {}).items() if name in named}
    return {**schema, "properties": properties, "required": []}


def _kind(prop: Mapping[str, Any]) -> str:
    return str(prop.get("x-ovd", {}).get("kind", ""))


def _takes(prop: Mapping[str, Any], value: Mapping[str, Any]) -> bool:
    """Whether an input may hold a file of this type and size; its bytes were looked at when it came."""
    hints = prop.get("x-ovd", {})
    allowed = hints.get("media_types") or (["image/*"] if _kind(prop) == "image" else [])
    found = value["media_type"]
    is_kind = not allowed or any(found == one or (one.endswith("/*") and found.startswith(one[:-1])) for one in allowed)
    most = hints.get("max_bytes")
    return _kind(prop) in FILE_KINDS and is_kind and (most is None or value.get("size", 0) <= most)


def _head(about: Mapping[str, Any]) -> rules.FileHead:
    with files.open(about["digest"]) as opened:
        return rules.FileHead(about["name"], about["media_type"], about["size"], opened.read(sniff.HEAD))


def _where(place: Place) -> dict[str, Any]:
    return {"application": place} if isinstance(place, Application) else {"collection": place}


def _of(place: Place) -> Any:
    return Sample.objects.filter(**_where(place), removed_at=None)


def _lock(place: Place) -> None:
    type(place).objects.select_for_update().values_list("pk").get(pk=place.pk)


def _tell(place: Place) -> None:
    """Those who offer it."""
    if isinstance(place, Application):
        notify("sample", application=place.pk)
        return
    for id_ in place.applications.values_list("pk", flat=True):
        notify("sample", application=id_)
