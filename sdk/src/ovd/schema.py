"""Schema: what goes into an application and comes out, as JSON Schema 2020-12 with hints for forms under
`x-ovd`."""

import inspect
from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Tuple

from ovd import uploads
from ovd import values as checks
from ovd.fields import FILE_KINDS, REQUIRED, Field
from ovd.nearest import did_you_mean
from ovd.uploads import FileHead, inline

__all__ = ["FieldError", "FileHead", "StoredFile", "accept", "accept_sample", "check_outputs", "describe",
           "inline_bytes", "object_of", "parse_upload", "sample_of"]  # fmt: skip

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TYPES: Dict[str, Any] = {
    "number": "number",
    "integer": "integer",
    "boolean": "boolean",
    "text": "string",
    "image": ["object", "string"],
    "file": ["object", "string"],
    "table": ["object", "array"],
    "series": ["object", "array"],
    "datetime": "string",
}
_NO_FILES: Mapping[str, FileHead] = {}


class FieldError(NamedTuple):
    """What is wrong with one field; `field` is empty when it is about the whole."""

    field: str
    message: str


def describe(app_or_folder: Any) -> Dict[str, Any]:
    """The schema document of an application, from its folder, or from an App class or instance (then without
    what
    only the manifest knows). Raises ProblemsFound."""
    from ovd.loading import load
    from ovd.signature import read

    if isinstance(app_or_folder, (str, Path)):
        return load(app_or_folder).schema
    cls: Any = app_or_folder if inspect.isclass(app_or_folder) else type(app_or_folder)
    found = read(cls)
    return {
        "version": 1,
        "name": "",
        "title": found.name,
        "summary": "",
        "learns": found.learns,
        "concurrency": 1,
        "inputs": object_of(found.inputs),
        "outputs": object_of(found.outputs),
        "sample": None,
        "samples": [],
    }


def object_of(fields: Iterable[Field]) -> Dict[str, Any]:
    """The JSON Schema of an object with these fields."""
    fields = list(fields)
    return {
        "$schema": DIALECT,
        "type": "object",
        "additionalProperties": False,
        "required": [field.name for field in fields if field.is_required],
        "properties": {field.name: property_of(field, order) for order, field in enumerate(fields)},
    }


def sample_of(fields: Iterable[Field]) -> Dict[str, Any]:
    """The JSON Schema of a sample with these fields; without fields, every object is one."""
    document = object_of(fields)
    document["additionalProperties"] = not document["properties"]
    return document


def property_of(field: Field, order: int) -> Dict[str, Any]:
    """The JSON Schema of one field."""
    prop: Dict[str, Any] = {}
    if field.kind == "choice":
        if all(isinstance(item, str) for item in field.choices):
            prop["type"] = "string"
        prop["enum"] = list(field.choices)
    else:
        prop["type"] = _TYPES[field.kind]
    if field.kind == "datetime":
        prop["format"] = "date-time"
    named = {"minimum": field.minimum, "maximum": field.maximum, "pattern": field.pattern or None}
    if field.kind == "text":
        named.update(minLength=field.minimum_length, maxLength=field.maximum_length)
    prop.update((key, value) for key, value in named.items() if value is not None)
    if field.default is not REQUIRED and field.default is not None:
        prop["default"] = field.default
    prop["title"] = field.label or field.name.replace("_", " ").capitalize()
    if field.help:
        prop["description"] = field.help
    prop["x-ovd"] = _hints(field, order)
    return prop


def _hints(field: Field, order: int) -> Dict[str, Any]:
    hints: Dict[str, Any] = {"kind": field.kind, "order": order, "advanced": field.advanced}
    more = {
        "unit": field.unit,
        "step": field.step,
        "optional": field.optional,
        "multiline": field.multiline,
        "labels": list(field.labels),
        "columns": list(field.columns),
        "timed": field.timed,
        "media_types": list(field.media_types),
    }
    hints.update((key, value) for key, value in more.items() if value)
    if field.kind in ("series", "table"):
        lengths = {"minimum_length": field.minimum_length, "maximum_length": field.maximum_length}
        hints.update((key, value) for key, value in lengths.items() if value is not None)
    if field.kind in (*FILE_KINDS, "series", "table"):
        hints["max_bytes"] = field.max_bytes
    return hints


def accept(
    inputs_schema: Dict[str, Any], values: Any, files: Mapping[str, FileHead] = _NO_FILES
) -> Tuple[Dict[str, Any], List[FieldError]]:
    """The inputs with defaults filled in and every value canonical, and all that is wrong with them.

    A field in `files` becomes `{"upload": field}`; an inline file `{"name", "media_type", "size", "data": base64}`
    (`inline_bytes` gives its bytes). With errors, the returned inputs are of no use.
    """
    if not isinstance(values, dict):
        return {}, [FieldError("", "The inputs must be an object with one member per input.")]
    properties = inputs_schema["properties"]
    accepted: Dict[str, Any] = {}
    errors: List[FieldError] = []
    for name, prop in properties.items():
        try:
            found = _accept_one(name, prop, values, files)
        except ValueError as error:
            errors.append(FieldError(name, str(error)))
            continue
        if found is not _ABSENT:
            accepted[name] = found
        elif "default" in prop:
            accepted[name] = _copy(prop["default"])
        elif name in inputs_schema["required"]:
            errors.append(FieldError(name, "is missing and has no default."))
    for name in (*values, *files):
        if name not in properties:
            errors.append(FieldError(str(name), f"is not an input.{did_you_mean(str(name), properties)}"))
    return accepted, errors


_ABSENT = object()


def _copy(default: Any) -> Any:
    return [*default] if isinstance(default, list) else {**default} if isinstance(default, dict) else default


def _accept_one(name: str, prop: Dict[str, Any], given: Dict[str, Any], files: Mapping[str, FileHead]) -> Any:
    kind = prop["x-ovd"]["kind"]
    if name in files:
        if name in given:
            raise ValueError("was sent twice: as a file and among the inputs.")
        if kind not in FILE_KINDS:
            raise ValueError(f"is a {kind}; a file cannot be sent for it.")
        uploads.check(prop, files[name])
        return {"upload": name}
    if name not in given:
        return _ABSENT
    value = given[name]
    if value is None and prop["x-ovd"].get("optional"):
        return _ABSENT
    if kind in FILE_KINDS:
        made, contents = inline(value)
        head = FileHead(made["name"], made["media_type"], len(contents), contents[:4096])
        made["media_type"] = uploads.check(prop, head)
        return made
    return checks.canonical(prop, value)


class StoredFile(NamedTuple):
    """A file that a sample may refer to: it was delivered, and its bytes are kept under `digest`."""

    name: str
    media_type: str  # as the client declared it
    size: int  # bytes
    digest: str
    head: bytes  # its first 4096 bytes, or all of it


_NO_STORED: Mapping[str, StoredFile] = {}


def accept_sample(
    sample_schema: Dict[str, Any], value: Any, files: Mapping[str, StoredFile] = _NO_STORED
) -> Tuple[Dict[str, Any], List[FieldError]]:
    """One sample of the intake with every value canonical, and all that is wrong with it; with errors, the returned
    sample is of no use.

    A field that is not optional must be there and not null. A file is named: by a text that is a key of `files`, or by
    `{"name", "media_type", "size", "digest"}` whose digest is a key of `files`; it becomes such an object, with the
    media type that the file's first bytes prove. A datetime becomes RFC 3339. A schema without fields takes any object.
    """
    if not isinstance(value, dict):
        return {}, [FieldError("", f"A sample must be an object, not {checks.called(value)}.")]
    properties = sample_schema["properties"]
    if not properties:
        return value, []
    accepted: Dict[str, Any] = {}
    errors: List[FieldError] = []
    for name, prop in properties.items():
        try:
            if name in value:
                accepted[name] = _sample_value(prop, value[name], files)
            elif not prop["x-ovd"].get("optional"):
                raise ValueError("is missing.")
        except ValueError as error:
            errors.append(FieldError(name, str(error)))
    if len(accepted) < len(value):
        unknown = [str(name) for name in value if name not in properties]
        errors.extend(FieldError(name, f"is not a field.{did_you_mean(name, properties)}") for name in unknown)
    return accepted, errors


def _sample_value(prop: Dict[str, Any], value: Any, files: Mapping[str, StoredFile]) -> Any:
    if value is None:
        if prop["x-ovd"].get("optional"):
            return None
        raise ValueError("is null. Leave the sample out, or ask the author to make this field optional.")
    if prop["x-ovd"]["kind"] not in FILE_KINDS:
        return checks.canonical(prop, value)
    key = value.get("digest") if isinstance(value, dict) else value
    if not isinstance(key, str):
        raise ValueError(f"must be the name of a file that is sent with the samples, not {checks.called(value)}.")
    stored = files.get(key)
    if stored is None:
        raise ValueError(f"names the file {key[:80]!r}, which was not sent.{_nearest_file(key, files)}")
    media_type = uploads.check(prop, FileHead(stored.name, stored.media_type, stored.size, stored.head))
    return {"name": stored.name, "media_type": media_type, "size": stored.size, "digest": stored.digest}


def _nearest_file(name: str, files: Mapping[str, StoredFile]) -> str:
    return did_you_mean(name, files) if 0 < len(files) <= 1000 else ""


def inline_bytes(value: Mapping[str, Any]) -> bytes:
    """The bytes of an inline file that `accept` returned."""
    return inline(dict(value))[1]


def parse_upload(kind: str, data: bytes, media_type: str) -> Any:
    """A table or series from an uploaded CSV (with header; first column time for a series) or JSON file, in
    its JSON
    form, still to be given to `accept`. Raises ValueError with a clear message."""
    return uploads.parse(kind, data, media_type)


def check_outputs(outputs_schema: Dict[str, Any], given: Mapping[str, Any]) -> List[FieldError]:
    """All that is wrong with outputs in their JSON form; files are objects with name, media_type and size."""
    return canonical_outputs(outputs_schema, given)[1]


def canonical_outputs(
    outputs_schema: Dict[str, Any], given: Mapping[str, Any], *, partial: bool = False
) -> Tuple[Dict[str, Any], List[FieldError]]:
    """The outputs, every value canonical, and all that is wrong; `partial` allows some to be absent."""
    properties = outputs_schema["properties"]
    made: Dict[str, Any] = {}
    errors: List[FieldError] = []
    for name, value in given.items():
        prop = properties.get(name)
        if prop is None:
            errors.append(FieldError(name, f"is not declared.{did_you_mean(name, properties)}"))
            continue
        try:
            made[name] = _output(prop, value)
        except ValueError as error:
            errors.append(FieldError(name, str(error)))
    if not partial:
        missing = [name for name in outputs_schema["required"] if name not in given]
        errors.extend(FieldError(name, "is declared but was not given.") for name in missing)
    return made, errors


def _output(prop: Dict[str, Any], value: Any) -> Any:
    if value is None and prop["x-ovd"].get("optional"):
        return None
    if prop["x-ovd"]["kind"] not in FILE_KINDS:
        return checks.canonical(prop, value)
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        raise ValueError(f"must be a file, not {checks.called(value)}.")
    limit = prop["x-ovd"].get("max_bytes")
    if limit is not None and value.get("size", 0) > limit:
        raise ValueError(f"has {uploads.size(value['size'])}; the declared limit is {uploads.size(limit)}.")
    return value
