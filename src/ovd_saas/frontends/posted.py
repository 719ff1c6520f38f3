"""Posted: what a plain form sent, as the inputs of an execution; for browsers without JavaScript. Floor 3."""

import json
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest

from ovd import schema as rules
from ovd import sniff
from ovd_saas.files import store as files
from ovd_saas.frontends import samples
from ovd_saas.frontends.form import FILES, TYPED, Asked, headed
from ovd_saas.store.queries import executions
from ovd_saas.store.records import Release


@dataclass
class Posted:
    """Inputs as they came, before they are checked."""

    values: dict[str, Any] = field(default_factory=dict)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)  # {name, media_type, size, digest}
    errors: dict[str, list[str]] = field(default_factory=dict)

    def refuse(self, name: str, message: str) -> None:
        self.errors.setdefault(name, []).append(message)


def read(request: HttpRequest, release: Release, fields: list[Asked]) -> Posted:
    """Afterwards uploaded files are in the file store."""
    posted = Posted()
    for one in fields:
        upload = request.FILES.get(one.name)
        if one.kind in FILES:
            _file(posted, one, upload, request.POST.get(f"{one.name}:origin", ""), release)
        elif one.kind in TYPED:
            _typed(posted, one, upload, request.POST.get(one.name, ""))
        else:
            _scalar(posted, one, request)
    return posted


def accepted(posted: Posted, release: Release) -> dict[str, Any]:
    """The inputs in canonical form; errors are added to `posted`."""
    heads = {name: _head(about) for name, about in posted.files.items()}
    values, errors = rules.accept(release.schema["inputs"], posted.values, heads)
    for error in errors:
        if error.field not in posted.errors:
            posted.refuse(error.field, error.message)
    for name, about in posted.files.items():
        values[name] = about
    return values


def _head(about: dict[str, Any]) -> rules.FileHead:
    with files.open(about["digest"]) as opened:
        return rules.FileHead(about["name"], about["media_type"], about["size"], opened.read(sniff.HEAD))


def _scalar(posted: Posted, one: Asked, request: HttpRequest) -> None:
    if one.kind == "boolean":
        posted.values[one.name] = one.name in request.POST
        return
    text = request.POST.get(one.name)
    if text is None or (text == "" and (one.kind != "text" or one.is_required or one.hints.get("optional"))):
        return
    posted.values[one.name] = text if one.kind == "text" else _literal(text)


def _literal(text: str) -> Any:
    """A number or a choice; what is none stays the text it is, and is refused as such."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _typed(posted: Posted, one: Asked, upload: "UploadedFile[Any] | None", text: str) -> None:
    try:
        if upload is not None:
            posted.values[one.name] = rules.parse_upload(one.kind, upload.read(), upload.content_type or "")
        elif text.strip():
            made = headed(text) if one.kind == "series" else text
            posted.values[one.name] = rules.parse_upload(one.kind, made.encode(), "text/csv")
    except ValueError as problem:
        posted.refuse(one.name, str(problem))


def _file(posted: Posted, one: Asked, upload: "UploadedFile[Any] | None", origin: str, release: Release) -> None:
    about = _stored(upload) if upload is not None else _again(one.name, origin, release)
    if about is not None:
        posted.files[one.name] = about


def _stored(upload: "UploadedFile[Any]") -> dict[str, Any]:
    digest, size = files.put_stream(upload.chunks())
    upload.seek(0)
    name = (upload.name or "file")[:255]
    return {"name": name, "media_type": sniff.media_type(name, upload.read(sniff.HEAD)), "size": size, "digest": digest}


def _again(field_name: str, origin: str, release: Release) -> dict[str, Any] | None:
    """A file that the form was filled with: of a sample, or of an earlier execution of the same application."""
    kind, _, which = origin.partition(":")
    if kind == "sample":
        sample = samples.named(release, which)
        name = samples.file_name(sample, field_name) if sample else None
        data = samples.read(release, name) if name else None
        if name is None or data is None:
            return None
        media_type = sniff.media_type(name, data[: sniff.HEAD])
        return {"name": name, "media_type": media_type, "size": len(data), "digest": files.put(data)}
    if kind == "execution":
        earlier = executions.by_id(UUID(which)) if _is_uuid(which) else None
        if earlier and earlier.application_id == release.application_id:
            value = earlier.inputs.get(field_name)
            return value if isinstance(value, dict) and "digest" in value else None
    return None


def _is_uuid(text: str) -> bool:
    try:
        return bool(UUID(text))
    except ValueError:
        return False
