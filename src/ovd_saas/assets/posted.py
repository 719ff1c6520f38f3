"""Posted: what a plain form sent, as the inputs of an execution; for browsers without JavaScript. Floor 3."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest

from ovd import schema as rules
from ovd import sniff
from ovd_saas.assets.form import FILES, TYPED, Asked, headed
from ovd_saas.files import store as files


@dataclass
class Posted:
    """Inputs as they came, before they are checked."""

    values: dict[str, Any] = field(default_factory=dict)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)  # {name, media_type, size, digest}
    errors: dict[str, list[str]] = field(default_factory=dict)

    def refuse(self, name: str, message: str) -> None:
        self.errors.setdefault(name, []).append(message)


Again = Callable[[str, str], dict[str, Any] | None]  # (field, origin) -> a file that the form was filled with


def read(request: HttpRequest, fields: list[Asked], again: Again) -> Posted:
    """Afterwards uploaded files are in the file store. `again` finds a file by the origin that the form has of it."""
    posted = Posted()
    for one in fields:
        upload = request.FILES.get(one.name)
        if one.kind in FILES:
            _file(posted, one, upload, request.POST.get(f"{one.name}:origin", ""), again)
        elif one.kind in TYPED:
            _typed(posted, one, upload, request.POST.get(one.name, ""))
        else:
            _scalar(posted, one, request)
    return posted


def accepted(posted: Posted, schema: dict[str, Any]) -> dict[str, Any]:
    """The inputs in canonical form; errors are added to `posted`."""
    heads = {name: _head(about) for name, about in posted.files.items()}
    values, errors = rules.accept(schema, posted.values, heads)
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


def _file(posted: Posted, one: Asked, upload: "UploadedFile[Any] | None", origin: str, again: Again) -> None:
    about = stored(upload) if upload is not None else again(one.name, origin)
    if about is not None:
        posted.files[one.name] = about


def stored(upload: "UploadedFile[Any]") -> dict[str, Any]:
    """Afterwards it is in the file store."""
    digest, size = files.put_stream(upload.chunks())
    upload.seek(0)
    name = (upload.name or "file")[:255]
    return {"name": name, "media_type": sniff.media_type(name, upload.read(sniff.HEAD)), "size": size, "digest": digest}
