"""Statements that are waited for: prepared by the server, so that it plans them once a connection. Floor 1."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import psycopg
from django.db import connection
from django.db.models import JSONField, Model

M = TypeVar("M", bound=Model)
NEVER = 1 << 30  # executions before a statement is prepared by itself


def run(sql: str, values: Mapping[str, Any]) -> list[Any]:
    """The rows that it gives. Values are bound by the server: where a type is not plain from the place, it is cast.
    It is part of the transaction that is open, if there is one. Raises django.db.Error."""

    def execute(sql: str, values: Mapping[str, Any], many: bool, context: Mapping[str, Any]) -> Sequence[Any]:
        connection.ensure_connection()
        assert connection.connection is not None
        connection.connection.prepare_threshold = NEVER  # Django switches prepared statements off altogether
        with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
            cursor.execute(sql, values, prepare=True)
            return cursor.fetchall()

    for wrapper in connection.execute_wrappers:  # tests stop time between two statements with them
        execute = _wrapped(wrapper, execute)
    return list(execute(sql, values, False, {"connection": connection, "cursor": None}))


def columns(kind: type[Model], table: str) -> str:
    """All columns of a record, as `read` expects them first."""
    return ", ".join(f"{table}.{field.column}" for field in kind._meta.concrete_fields)


def version(table: str) -> str:
    """Of a row of it: another one after each change."""
    return f"{table}.xmin::text || {table}.ctid::text"


def read(kind: type[M], sql: str, values: Mapping[str, Any]) -> list[tuple[M, Sequence[Any]]]:
    """Records, each with what else its row has."""
    converters = _converters(kind)
    names = [str(field.attname) for field in kind._meta.concrete_fields]
    found = []
    for row in run(sql, values):
        cells = list(row[: len(names)])
        for place, convert in converters:
            cells[place] = convert(cells[place], None, connection)
        found.append((kind.from_db(connection.alias, names, cells), row[len(names) :]))
    return found


@lru_cache
def _converters(kind: type[Model]) -> list[tuple[int, Callable[..., Any]]]:
    fields = enumerate(kind._meta.concrete_fields)
    return [(place, field.from_db_value) for place, field in fields if isinstance(field, JSONField)]


def _wrapped(wrapper: Any, execute: Any) -> Any:
    return lambda sql, values, many, context: wrapper(execute, sql, values, many, context)
