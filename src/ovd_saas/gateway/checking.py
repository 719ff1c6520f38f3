"""Checking: from what was sent to canonical inputs, with its files in the file store; or all that is wrong. Floor 3."""

import asyncio
import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ovd import uploads
from ovd.schema import FieldError, accept, inline_bytes
from ovd_saas.appcore.digests import NotCanonical, canonical, digest, unstorable
from ovd_saas.files import store
from ovd_saas.gateway import bodies
from ovd_saas.gateway.bodies import Receive, Wanted
from ovd_saas.gateway.catalogue import Entry
from ovd_saas.gateway.forms import Form, Part
from ovd_saas.gateway.refusals import Invalid, TooLarge, UnsupportedMediaType

LARGEST_INPUTS = 15 << 20  # bytes of canonical JSON: they travel in the header of one frame
_AT_ONCE = 1 << 18  # bytes of JSON that may be checked without leaving the event loop


@dataclass(slots=True)
class Checked:
    """What is to be executed: good, canonical, and its files durable."""

    inputs: dict[str, Any]
    input_digest: str
    seed: int | None
    deadline_at: datetime | None
    deadline: Any
    consent: bool

    def request_digest(self, address: str) -> str:
        """What an Idempotency-Key stands for."""
        asked: dict[str, Any] = {
            "application": address,
            "inputs": self.input_digest,
            "seed": self.seed,
            "deadline": self.deadline,
        }
        if self.consent:
            asked["consent"] = True
        return "sha256:" + hashlib.sha256(canonical(asked)).hexdigest()


async def checked(entry: Entry, headers: dict[bytes, bytes], receive: Receive, now: datetime) -> Checked:
    """Raises BadRequest, TooLarge, UnsupportedMediaType, Invalid, Disconnected."""
    content_type = headers.get(b"content-type", b"application/json")
    kind = content_type.split(b";")[0].strip().lower()
    if kind == b"application/json" or kind.endswith(b"+json"):
        bodies.check_length(headers, bodies.LARGEST_JSON)
        wanted = bodies.from_json(await bodies.read(receive), now)
        return await _complete(entry, wanted, {})
    if kind != b"multipart/form-data":
        shown = kind.decode("latin-1")[:60]
        raise UnsupportedMediaType(f"Send application/json or multipart/form-data, not {shown!r}.")
    with Form(entry.inputs) as form:
        bodies.check_length(headers, form.limit)
        await form.read(receive, content_type)
        return await _complete(entry, form.wanted(now), form.files)


async def _complete(entry: Entry, wanted: Wanted, files: dict[str, Part]) -> Checked:
    heads = {name: part.head for name, part in files.items()}
    if wanted.size > _AT_ONCE:
        inputs, errors = await asyncio.to_thread(accept, entry.inputs, wanted.inputs, heads)
    else:
        inputs, errors = accept(entry.inputs, wanted.inputs, heads)
    if wanted.errors:
        named = {error.field for error in wanted.errors}
        is_unread = "inputs" in named or "body" in named
        errors = wanted.errors + [error for error in errors if error.field not in named and not is_unread]
    if errors:
        raise invalid(errors)
    if files or entry.release is None or entry.release.file_inputs:
        await _store(entry, inputs, files)
    return Checked(inputs, digest(_canonical(inputs)), wanted.seed, wanted.deadline_at, wanted.deadline, wanted.consent)


async def _store(entry: Entry, inputs: dict[str, Any], files: dict[str, Part]) -> None:
    """Afterwards each file is in the store, and stands among the inputs as {name, media_type, size, digest}."""
    for name, value in inputs.items():
        if name in files:
            part = files[name]
            assert part.writer is not None
            stored = await asyncio.to_thread(part.writer.commit)
            part.writer = None
            media_type = uploads.check(entry.inputs["properties"][name], part.head)
            about = {"name": part.head.name, "media_type": media_type}
            inputs[name] = {**about, "size": stored.size, "digest": stored.digest}
        elif isinstance(value, dict) and "data" in value:
            stored_digest = await asyncio.to_thread(_put_inline, value)
            about = {key: value[key] for key in ("name", "media_type", "size")}
            inputs[name] = {**about, "digest": stored_digest}


def _put_inline(value: dict[str, Any]) -> str:
    return store.put(inline_bytes(value))


def _canonical(inputs: dict[str, Any]) -> bytes:
    try:
        text = canonical(inputs)
    except NotCanonical:
        raise invalid(_unstorable(inputs)) from None
    if len(text) > LARGEST_INPUTS:
        raise TooLarge(f"The inputs have more than {LARGEST_INPUTS >> 20} MiB of JSON. Send large data as files.")
    if rb"\u0000" in text and (errors := _unstorable(inputs)):
        raise invalid(errors)
    return text


def _unstorable(inputs: dict[str, Any]) -> list[FieldError]:
    return [FieldError(name, why) for name, value in inputs.items() if (why := unstorable(value))]


def invalid(errors: list[FieldError]) -> Invalid:
    """All that is wrong, in one sentence and field by field."""
    first = errors[0]
    subject = f'"{first.field}" ' if first.field else ""
    more = f" And {len(errors) - 1} more." if len(errors) > 1 else ""
    return Invalid(f"{subject}{first.message}{more}", errors=errors)
