"""Loose files: which bytes does any row still refer to? Floor 1."""

from collections.abc import Collection

from django.db import connection, transaction

# Every column of the database that names bytes in the file store stands here: what none of them names is removed.
REFERENCES = {
    "Execution.inputs": "SELECT jsonb_path_query(inputs, '$.**.digest') #>> '{}' FROM store_execution",
    "Execution.outputs": "SELECT jsonb_path_query(outputs, '$.**.digest') #>> '{}' FROM store_execution",
    "ExecutionEvent.body": "SELECT jsonb_path_query(body, '$.**.digest') #>> '{}' FROM store_executionevent"
    " WHERE kind = 'output'",
    "Batch.digest": "SELECT digest FROM store_batch WHERE taken_down_at IS NULL",
    "Batch.files": "SELECT jsonb_array_elements_text(files) FROM store_batch WHERE taken_down_at IS NULL",
    "LearningRun.checkpoint": "SELECT checkpoint FROM store_learningrun",
    "ModelVersion.digest": "SELECT digest FROM store_modelversion",
    "Release.digest": "SELECT digest FROM store_release",
    "Sample.inputs": "SELECT jsonb_path_query(inputs, '$.**.digest') #>> '{}' FROM store_sample",
}
_IN_USE = (
    "SELECT DISTINCT named.digest FROM ("  # noqa: S608 - the constants above
    + " UNION ALL ".join(REFERENCES.values())
    + ") AS named(digest) WHERE named.digest = ANY(%s)"
)


def in_use(digests: Collection[str]) -> set[str]:
    """Those that some row refers to. Reads all executions, so it may take a while; nobody waits for it."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '15min'")
        cursor.execute(_IN_USE, [list(digests)])
        return {digest for (digest,) in cursor.fetchall()}
