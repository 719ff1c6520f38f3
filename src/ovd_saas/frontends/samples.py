"""Samples: the example inputs of a release; their files come out of its source archive. Floor 3."""

import tarfile
from typing import Any
from urllib.parse import quote

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from ovd import sniff
from ovd_saas.assets import found
from ovd_saas.assets.kinds import PICTURES
from ovd_saas.files import Missing
from ovd_saas.files import store as files
from ovd_saas.frontends.form import FILES, Prefilled
from ovd_saas.store.queries import releases
from ovd_saas.store.records import Release

LARGEST = 20 * 1024 * 1024  # bytes of one file of a sample
FOLDER = "samples"


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
