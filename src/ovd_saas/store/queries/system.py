"""System: what the database knows of the platform's own health: since when, how large, how current. Floor 1."""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.migrations.loader import MigrationLoader

from ovd_saas.store.queries.liveness import LEADER_KEY

LARGEST = 6  # tables

_DATABASE = """
    SELECT current_setting('server_version'), pg_postmaster_start_time(), pg_database_size(current_database()),
        (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()),
        current_setting('max_connections')::int, current_setting('archive_mode') <> 'off',
        (SELECT last_archived_time FROM pg_stat_archiver)"""

_LEADER = """
    SELECT activity.backend_start FROM pg_locks JOIN pg_stat_activity AS activity USING (pid)
    WHERE locktype = 'advisory' AND granted AND classid = 0 AND objid = %s
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""

_TABLES = """
    SELECT relname, pg_total_relation_size(oid) AS size, greatest(reltuples, 0)::bigint FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY size DESC LIMIT %s"""

_APPLIED = "SELECT count(*), max(applied) FROM django_migrations"


@dataclass(frozen=True)
class Database:
    """PostgreSQL, as it tells of itself."""

    version: str
    started_at: datetime
    size: int  # bytes
    connections: int
    most_connections: int
    archives: bool  # it keeps its write-ahead log elsewhere
    archived_at: datetime | None


@dataclass(frozen=True)
class Table:
    """A table with its indexes."""

    name: str
    size: int  # bytes
    rows: int  # about


@dataclass(frozen=True)
class Schema:
    """How current the tables are."""

    applied: int
    applied_at: datetime | None  # the last of them
    missing: list[str]  # that this version has and the database has not


def database() -> Database:
    with connection.cursor() as cursor:
        cursor.execute(_DATABASE)
        return Database(*cursor.fetchone())


def leads_since() -> datetime | None:
    """When the AppCore that leads began to; None: none does."""
    with connection.cursor() as cursor:
        cursor.execute(_LEADER, [LEADER_KEY])
        row = cursor.fetchone()
    return row[0] if row else None


def tables() -> list[Table]:
    """The largest ones."""
    with connection.cursor() as cursor:
        cursor.execute(_TABLES, [LARGEST])
        return [Table(name.removeprefix("store_"), size, rows) for name, size, rows in cursor.fetchall()]


def schema() -> Schema:
    with connection.cursor() as cursor:
        cursor.execute(_APPLIED)
        applied, applied_at = cursor.fetchone()
    loader = MigrationLoader(connection)
    missing = sorted(f"{app} {name}" for app, name in set(loader.disk_migrations) - set(loader.applied_migrations))
    return Schema(applied, applied_at, missing)
