"""Connections of a thread to the database: found sound without asking the server. Floor 1."""

import select

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper


def keep_sound() -> None:
    """Afterwards this thread has no connection that broke, or that the server has closed: the next query opens another
    one. A connection that idles has nothing to say, so what can be read from it is its end."""
    for connection in connections.all(initialized_only=True):
        if connection.connection is None or connection.in_atomic_block:
            continue
        if connection.errors_occurred or _is_over(connection):
            connection.close()


def release() -> None:
    """Afterwards this thread holds none, but within a transaction: for whoever goes on for long and asks no more."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()


def _is_over(connection: BaseDatabaseWrapper) -> bool:
    raw = connection.connection
    if raw.closed or raw.broken:
        return True
    heard = select.poll()
    heard.register(raw.fileno(), select.POLLIN)
    return bool(heard.poll(0))
