"""Samples: the examples that an application offers: of its release, added to it, of its collections. Floor 3."""

import tarfile
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from ovd import sniff
from ovd_saas.appcore import samples as verbs
from ovd_saas.assets import found
from ovd_saas.assets.form import FILES, Prefilled
from ovd_saas.assets.kinds import PICTURES
from ovd_saas.files import Missing
from ovd_saas.files import store as files
from ovd_saas.store.queries import executions, releases
from ovd_saas.store.queries import samples as queries
from ovd_saas.store.records import Application, Release, Sample

LARGEST = 20 * 1024 * 1024  # bytes of one file of a sample
FOLDER = "samples"


@dataclass(frozen=True)
class Offered:
    """One example that a visitor can click."""

    key: str  # in the address: the name of one of the release, "@7" of one that was added
    title: str
    credit: str
    licence: str
    inputs: dict[str, Any]
    files: dict[str, Prefilled]  # by field
    shared: str = ""  # title of its collection

    @property
    def picture(self) -> Prefilled | None:
        """The first picture of it."""
        return next((one for one in self.files.values() if one.is_picture), None)


def offered(application: Application) -> list[Offered]:
    """All examples that fit the current release: its own, those added to the application, those of its collections."""
    release = application.release
    if release is None:
        return []
    brought = [
        Offered(
            one["name"], one.get("title") or one["name"], one.get("credit", ""), one.get("licence", ""),
            one["inputs"], prefilled(release, one),
        )
        for one in of(release)
    ]  # fmt: skip
    schema = release.schema.get("inputs", {})
    added = [*queries.own(application), *queries.shared(application)]
    fitting = ((row, verbs.fitted(row.inputs, schema)) for row in added)
    return brought + [_added(row, inputs) for row, inputs in fitting if inputs is not None]


def _added(row: Sample, inputs: dict[str, Any]) -> Offered:
    files_ = {
        field: Prefilled(
            value["name"],
            address_of(row, value["digest"]),
            f"own:{row.pk}",
            value["media_type"] in PICTURES,
            value["media_type"],
        )
        for field, value in inputs.items()
        if verbs.is_file(value)
    }
    shared = row.collection.title if row.collection else ""
    return Offered(f"@{row.pk}", row.title, row.credit, row.licence, inputs, files_, shared)


def address_of(row: Sample, digest: str) -> str:
    """Of a file of one that was added."""
    return reverse("panel:sample_file", args=[row.pk, digest])


def again(application: Application, field: str, origin: str) -> dict[str, Any] | None:
    """A file that the form was filled with: of a sample, or of an earlier execution of the same application."""
    release = application.release
    kind, _colon, which = origin.partition(":")
    if kind == "sample" and release is not None:
        sample = named(release, which)
        name = file_name(sample, field) if sample else None
        data = read(release, name) if name else None
        if name is None or data is None:
            return None
        media_type = sniff.media_type(name, data[: sniff.HEAD])
        return {"name": name, "media_type": media_type, "size": len(data), "digest": files.put(data)}
    if kind == "own" and which.isdecimal() and release is not None:
        row = queries.offered_by(application, int(which))
        inputs = verbs.fitted(row.inputs, release.schema["inputs"]) if row else None
        return _file(inputs or {}, field)
    if kind == "execution":
        earlier = executions.by_id(UUID(which)) if _is_uuid(which) else None
        if earlier and earlier.application_id == application.pk:
            return _file(earlier.inputs, field)
    return None


def _file(inputs: dict[str, Any], field: str) -> dict[str, Any] | None:
    value = inputs.get(field)
    return value if isinstance(value, dict) and "digest" in value else None


def _is_uuid(text: str) -> bool:
    try:
        return bool(UUID(text))
    except ValueError:
        return False


def of(release: Release) -> list[dict[str, Any]]:
    samples: list[dict[str, Any]] = release.schema.get("samples", [])
    return samples


def named(release: Release, name: str) -> dict[str, Any] | None:
    return next((one for one in of(release) if one["name"] == name), None)


def file_name(sample: dict[str, Any], field: str) -> str | None:
    """The name beside the sample that this field refers to; None when it is no file."""
    value = sample.get("inputs", {}).get(field)
    name = value.get("file") if isinstance(value, dict) else None
    return name if isinstance(name, str) and set(value) == {"file"} else None


def read(release: Release, name: str) -> bytes | None:
    """The bytes of `samples/NAME` in the source archive; None when no ordinary file of bearable size is there.

    Only the member of exactly that name is read, into memory: nothing of the archive is written or followed.
    """
    wanted = f"{FOLDER}/{name}"
    try:
        with files.open(release.digest) as stored, tarfile.open(fileobj=stored, mode="r:gz") as archive:
            for member in archive:
                if member.name.removeprefix("./") == wanted:
                    opened = archive.extractfile(member) if member.isfile() and member.size <= LARGEST else None
                    return opened.read() if opened else None
    except (Missing, tarfile.TarError, EOFError, OSError):
        return None
    return None


def prefilled(release: Release, sample: dict[str, Any]) -> dict[str, Prefilled]:
    """The files of a sample, by field."""
    properties = release.schema.get("inputs", {}).get("properties", {})
    found_: dict[str, Prefilled] = {}
    for field in properties:
        name = file_name(sample, field)
        if name and properties[field].get("x-ovd", {}).get("kind") in FILES:
            url = address(release, sample["name"], field)
            media_type = sniff.media_type(name, b"")
            found_[field] = Prefilled(name, url, f"sample:{sample['name']}", media_type in PICTURES, media_type)
    return found_


def address(release: Release, sample: str, field: str) -> str:
    owner = release.application
    return reverse("frontends:sample_file", args=[owner.organisation.slug, owner.name, release.number, sample, field])


@login_required
@require_safe
def file(request: HttpRequest, org: str, name: str, number: int, sample: str, field: str) -> HttpResponse:
    """A file of a sample. Only pictures open in the page; the rest is saved."""
    release = releases.by_number(found.application(found.caller(request), org, name), number)
    chosen = named(release, sample) if release else None
    wanted = file_name(chosen, field) if chosen else None
    data = read(release, wanted) if release and wanted else None
    if data is None or wanted is None:
        raise Http404("No such file of a sample.")
    proved = sniff.recognise(data[: sniff.HEAD])
    is_picture = proved in PICTURES
    answer = HttpResponse(data, content_type=proved if is_picture else "application/octet-stream")
    kind = "inline" if is_picture else "attachment"
    answer["Content-Disposition"] = f"{kind}; filename*=UTF-8''{quote(wanted.rsplit('/', 1)[-1], safe='')}"
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cache-Control"] = "private, max-age=86400"
    return answer
