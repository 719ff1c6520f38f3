"""The OpenAPI document tells every operation, with schemas that real answers fit."""

from typing import Any

import pytest
from django.test import Client

import makers
from ovd_saas.store.records import Application, Execution

PATHS = {
    "/health": {"get"},
    "/me": {"get"},
    "/applications": {"get", "post"},
    "/applications/{org}/{name}": {"get", "patch"},
    "/applications/{org}/{name}/actions/{action}": {"post"},
    "/applications/{org}/{name}/releases": {"get", "post"},
    "/applications/{org}/{name}/releases/{number}": {"get"},
    "/applications/{org}/{name}/releases/{number}/changes": {"get"},
    "/applications/{org}/{name}/releases/{number}/actions/{action}": {"post"},
    "/applications/{org}/{name}/samples": {"get"},
    "/runners/{name}/drain": {"post"},
    "/runners/{name}/take-back": {"post"},
    "/applications/{org}/{name}/triggers/pause": {"post"},
    "/applications/{org}/{name}/triggers/resume": {"post"},
    "/applications/{org}/{name}/releases/{number}/log": {"get"},
    "/applications/{org}/{name}/executions": {"get", "post"},
    "/applications/{org}/{name}/timeline": {"get"},
    "/applications/{org}/{name}/triggers": {"get"},
    "/applications/{org}/{name}/notify": {"post"},
    "/applications/{org}/{name}/learning-runs": {"get", "post"},
    "/learning-runs/{run_id}": {"get"},
    "/learning-runs/{run_id}/log": {"get"},
    "/learning-runs/{run_id}/events": {"get"},
    "/learning-runs/{run_id}/cancel": {"post"},
    "/applications/{org}/{name}/models": {"get"},
    "/applications/{org}/{name}/models/live": {"get"},
    "/applications/{org}/{name}/models/rollback": {"post"},
    "/applications/{org}/{name}/models/{number}": {"get"},
    "/applications/{org}/{name}/models/{number}/archive": {"get"},
    "/applications/{org}/{name}/models/{number}/promote": {"post"},
    "/applications/{org}/{name}/models/{number}/reject": {"post"},
    "/applications/{org}/{name}/drift": {"get"},
    "/applications/{org}/{name}/intake": {"post"},
    "/applications/{org}/{name}/batches": {"get"},
    "/applications/{org}/{name}/batches/{number}": {"get", "delete"},
    "/applications/{org}/{name}/batches/{number}/content": {"get"},
    "/applications/{org}/{name}/batches/{number}/files/{digest}": {"get"},
    "/applications/{org}/{name}/sources": {"get"},
    "/executions/{execution_id}/feedback": {"post"},
    "/executions/{execution_id}": {"get", "delete"},
    "/executions/{execution_id}/cancel": {"post"},
    "/executions/{execution_id}/events": {"get"},
    "/executions/{execution_id}/files/{digest}": {"get"},
    "/tokens": {"get", "post"},
    "/tokens/{token_id}": {"delete"},
    "/organisations/{org}/members": {"get"},
    "/organisations/{org}/members/{username}": {"patch", "delete"},
    "/organisations/{org}/invitations": {"get", "post"},
    "/organisations/{org}/invitations/{id_}": {"delete"},
    "/runners": {"get"},
}


@pytest.fixture
def document(client: Client, db: None) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/api/v1/openapi.json").json()
    return found


def test_every_operation_is_told_also_the_one_of_the_gateway(document: dict[str, Any]) -> None:
    found = {path.removeprefix("/api/v1"): set(operations) for path, operations in document["paths"].items()}
    assert found == PATHS


def test_every_reference_leads_somewhere_and_every_operation_may_answer_a_problem(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert {ref.rsplit("/", 1)[1] for ref in references(document)} <= set(schemas)
    ids = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(ids) == len(set(ids))
    for path in document["paths"].values():
        for operation in path.values():
            assert "application/problem+json" in operation["responses"]["default"]["content"]
            assert operation["summary"]


@pytest.mark.parametrize(
    ("path", "schema"),
    [
        ("/applications/acme/echo", "Application"),
        ("/applications/acme/echo/releases/1", "ReleaseWithLog"),
        ("/executions/{id}", "Execution"),
        ("/learning-runs/{run}", "LearningRun"),
        ("/applications/acme/echo/models/1", "Model"),
        ("/applications/acme/echo/models/live", "Live"),
        ("/me", "Me"),
        ("/health", "Health"),
    ],
)
def test_a_real_answer_has_exactly_the_fields_that_are_told(
    owner: Client, document: dict[str, Any], echo: Application, finished: Execution, path: str, schema: str
) -> None:
    run = makers.learning_run(echo, snapshot=makers.snapshot(echo))
    makers.promotion(makers.model_version(echo, run=run, snapshot=run.snapshot))
    told = document["components"]["schemas"][schema]
    answer = owner.get(f"/api/v1{path.format(id=finished.pk, run=run.pk)}").json()
    assert set(answer) == set(told["properties"])
    assert set(told["example"]) == set(answer)


def test_the_pages_take_nothing_from_elsewhere(client: Client) -> None:
    page = client.get("/api/v1/docs")
    assert page.status_code == 200
    assert "://" not in page.content.decode().replace("http://www.w3.org", "")
    assert "script" in page.content.decode()
    assert "default-src 'self'" in page["Content-Security-Policy"]


def references(part: Any) -> list[str]:
    if isinstance(part, dict):
        return [value for key, value in part.items() if key == "$ref"] + [
            ref for value in part.values() for ref in references(value)
        ]
    return [ref for value in part for ref in references(value)] if isinstance(part, list) else []
