"""The OpenAPI document: what ninja finds out by itself, and what it cannot know. Floor 3."""

from typing import Any

from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation

from ovd_saas.appcore import problems

DESCRIPTION = """
Applications sleep, wake when somebody uses them, execute, and fall asleep again.

* Send `Authorization: Bearer ovd_…`; a token is made in the Control Panel or with `POST /tokens`.
* Moments are RFC 3339 in UTC, lengths are seconds, sizes are bytes. Ids are opaque strings.
* Lists are `{"items": […], "next": cursor or null}`; send `cursor` to go on.
* Errors are RFC 9457 problems; compare `code`, show `detail`. What is not yours is not there: 404.
"""

_PROBLEM = {
    "type": "object",
    "title": "Problem",
    "description": "An error (RFC 9457).",
    "required": ["type", "title", "status", "code", "detail", "errors"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "Stable: programs compare it."},
        "detail": {"type": "string", "description": "Subject, cause and cure, for a person."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
    "example": {
        "type": "about:blank",
        "title": "Unprocessable Entity",
        "status": 422,
        "code": "invalid",
        "detail": "horizon: 999 is over the maximum of 168.",
        "errors": [{"field": "horizon", "message": "999 is over the maximum of 168."}],
    },
}
_REFUSED = {
    "description": "A problem.",
    "content": {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_EXECUTION = {"application/json": {"schema": {"$ref": "#/components/schemas/Execution"}}}
_LOCATION = {"Location": {"description": "Where the execution is.", "schema": {"type": "string"}}}
_RETRY = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
_INPUTS = {
    "type": "object",
    "required": ["inputs"],
    "additionalProperties": False,
    "properties": {
        "inputs": {
            "type": "object",
            "description": "By name, as the release's schema says. A file is {name, media_type, data: base64}, or a "
            "`data:` URI; in a multipart request a part of its own.",
        },
        "seed": {"type": "integer", "minimum": 0, "maximum": 2**53 - 1, "description": "Chosen when left out."},
        "deadline": {"type": "string", "format": "date-time", "description": "Not started by then: expired."},
        "consent": {"type": "boolean", "description": "The application may learn from it. Default: no."},
    },
}


def _header(name: str, description: str) -> dict[str, Any]:
    return {"in": "header", "name": name, "required": False, "schema": {"type": "string"}, "description": description}


EXECUTE: dict[str, Any] = {
    "operationId": "execute",
    "summary": "Execute",
    "description": "Runs the application on these inputs, waking it when it is asleep, and archives the result. "
    "Inputs are checked before anything wakes: 422 names every field that is wrong.",
    "tags": ["executions"],
    "security": [{"Bearer": []}, {"Session": []}],
    "parameters": [
        {"in": "path", "name": "org", "required": True, "schema": {"type": "string"}},
        {"in": "path", "name": "name", "required": True, "schema": {"type": "string"}},
        _header("Prefer", "`wait=N`: seconds to wait for the end, at most 300 (default 30); `respond-async`: none."),
        _header("Idempotency-Key", "The same key and request again give the same execution, which runs once."),
    ],
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": _INPUTS, "example": {"inputs": {"horizon": 24}, "seed": 7}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["inputs"],
                    "properties": {
                        "inputs": {"type": "object", "description": "What is not a file, as JSON."},
                        "seed": _INPUTS["properties"]["seed"],  # type: ignore[index]
                        "deadline": _INPUTS["properties"]["deadline"],  # type: ignore[index]
                        "consent": _INPUTS["properties"]["consent"],  # type: ignore[index]
                    },
                    "additionalProperties": {
                        "type": "string",
                        "format": "binary",
                        "description": "One part per file, named like the input.",
                    },
                },
                "encoding": {"inputs": {"contentType": "application/json"}},
            },
        },
    },
    "responses": {
        "201": {"description": "Finished; look at its status.", "headers": _LOCATION, "content": _EXECUTION},
        "202": {"description": "Not finished yet.", "headers": _LOCATION, "content": _EXECUTION},
        "409": {**_REFUSED, "description": "The application takes no executions now."},
        "422": {**_REFUSED, "description": "Wrong inputs, or a reused Idempotency-Key."},
        "429": {**_REFUSED, "description": "Too many wait.", "headers": _RETRY},
        "503": {**_REFUSED, "description": "The application does not start.", "headers": _RETRY},
    },
}


_BATCH = {"application/json": {"schema": {"$ref": "#/components/schemas/Batch"}}}
_BINARY = {"schema": {"type": "string", "format": "binary"}}
FEED: dict[str, Any] = {
    "operationId": "feed",
    "summary": "Feed",
    "description": "Samples that the application may learn from become a batch. Each is checked against the schema "
    "that the release declares; one that breaks it refuses the whole batch: 422 names every error by line (at most "
    "1,000), and nothing is stored. The same samples again, within a day or as the manifest says, are the same batch. "
    "The body is streamed: large ones are welcome.",
    "tags": ["data"],
    "security": [{"Bearer": []}, {"Session": []}],
    "parameters": [
        {"in": "path", "name": "org", "required": True, "schema": {"type": "string"}},
        {"in": "path", "name": "name", "required": True, "schema": {"type": "string"}},
        _header("Idempotency-Key", "The same key and body again give the same batch."),
    ],
    "requestBody": {
        "required": True,
        "content": {
            "application/x-ndjson": {**_BINARY, "example": '{"flow": 1.5, "at": "2026-03-01T12:00:00Z"}\n'},
            "application/json": {"schema": {"description": "An object, or an array of objects."}},
            "text/csv": {**_BINARY, "example": "flow,at\n1.5,2026-03-01T12:00:00Z\n"},
            "application/vnd.apache.parquet": _BINARY,
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "samples": {
                            "type": "string",
                            "description": "JSON Lines, a JSON array or CSV; a field for a file says the name of a "
                            "file part. Without it, each part is a field of one sample.",
                        }
                    },
                    "additionalProperties": {"type": "string", "format": "binary"},
                }
            },
        },
    },
    "responses": {
        "200": {"description": "It was there already: the earlier batch.", "headers": _LOCATION, "content": _BATCH},
        "201": {"description": "The batch.", "headers": _LOCATION, "content": _BATCH},
        "409": {**_REFUSED, "description": "The application does not learn, or is retired."},
        "413": {**_REFUSED, "description": "It is over the limit of this platform."},
        "415": {**_REFUSED, "description": "A format that is not read here; says which are."},
        "422": {**_REFUSED, "description": "Broken samples, or a reused Idempotency-Key."},
        "507": {**_REFUSED, "description": "The platform's disk is full; nothing was stored."},
    },
}


class Documented(NinjaAPI):
    """Adds the operations that the gateway answers, and the problems that every operation may answer with."""

    def get_openapi_operation_id(self, operation: Operation) -> str:
        return operation.view_func.__name__

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: dict[str, Any] | None = None
    ) -> OpenAPISchema:
        schema = super().get_openapi_schema(path_prefix=path_prefix, path_params=path_params)
        executions = next(path for path in schema["paths"] if path.endswith("/{name}/executions"))
        schema["paths"][executions]["post"] = EXECUTE
        schema["paths"][executions.removesuffix("executions") + "intake"] = {"post": FEED}
        for operations in schema["paths"].values():
            for operation in operations.values():
                operation["responses"] = {**operation["responses"], "default": _REFUSED}
        schema["components"]["schemas"]["Problem"] = _PROBLEM
        schema.update(_with_short_names(dict(schema)))
        return schema


def _with_short_names(part: Any) -> Any:
    """Our classes are called ApplicationShape, to tell them from records; in the document it is Application."""
    if isinstance(part, dict):
        return {
            key.removesuffix("Shape") if isinstance(key, str) else str(key): _with_short_names(value)
            for key, value in part.items()
        }
    if isinstance(part, list):
        return [_with_short_names(value) for value in part]
    return part.removesuffix("Shape") if isinstance(part, str) and part.startswith("#/") else part
