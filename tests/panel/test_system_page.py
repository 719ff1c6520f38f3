"""System tells staff how the platform is: parts, versions, room, settings, walls, backup; and never a secret."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client

import pages_rows
from ovd_saas.panel import backups, settings_words
from ovd_saas.store.queries.liveness import LEADER_KEY
from ovd_saas.store.records import Runner, User
from pages_parsed import Page

ClientOf = Callable[..., Client]


@pytest.fixture
def staff(client_of: ClientOf) -> Client:
    client = client_of("owner")
    User.objects.filter(username="owner").update(is_staff=True)
    return client


def text(client: Client, part: str = "") -> str:
    answer = client.get("/system/", headers={"X-Fragment": part} if part else {})
    assert answer.status_code == 200
    page = Page(answer.content.decode())
    assert page.inline == []
    return page.text


def test_only_staff_sees_it(client_of: ClientOf) -> None:
    assert client_of("owner").get("/system/").status_code == 404
    assert Client().get("/system/").status_code == 302
    assert "/system/" not in Page(client_of("owner").get("/home/").content.decode()).links


def test_each_part_says_how_it_is_and_since_when(staff: Client) -> None:
    pages_rows.runner("bench-1")
    said = text(staff, "health")
    assert "AppCore down None leads" in said and "Runner bench-1 well Seen a moment ago." in said
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LEADER_KEY])
    Runner.objects.update(is_up=False)
    said = text(staff, "health")
    assert "AppCore well One leads. since" in said
    assert "Runner bench-1 down It does not answer. Start it on its machine: ovd runner." in said
    assert "PostgreSQL well" in said and "connections in use" in said


def test_versions_room_tables_and_migrations_are_told(staff: Client) -> None:
    said = text(staff)
    for words in ("OVD-SaaS 0.1.0", "Django 5.2", "Python 3.", "PostgreSQL", "Data folder", "Largest tables"):
        assert words in said, words
    assert "migrations are applied" in said and "free (" in said


def test_walls_that_do_not_stand_say_why(staff: Client) -> None:
    runner = pages_rows.runner()
    Runner.objects.update(facts={**runner.facts, "walls": {"files": "", "cpu": "No cgroup is delegated."}})
    said = text(staff)
    assert "1 of 2 cannot stand here" in said and "No cgroup is delegated." in said


def test_a_backup_is_told_only_when_somebody_noted_one(staff: Client, settings: Any, tmp_path: Path) -> None:
    settings.HOME = tmp_path
    assert "none noted" in text(staff)
    (tmp_path / backups.NOTE).touch()
    assert "The last backup that was noted here:" in text(staff)
    os.utime(tmp_path / backups.NOTE, (0, 0))
    assert "Make another one." in text(staff)


def test_the_commands_of_a_backup_fit_this_platform(staff: Client, settings: Any) -> None:
    said = text(staff)
    assert f'pg_dump --format=custom --file=/BACKUP/ovd.dump "postgresql://ovd@/ovd?host={settings.RUN}"' in said
    assert f"rsync -a {settings.FILES}/ /BACKUP/files/" in said
    settings.DATABASE_URL = "postgresql://ovd:hush@db.example.org/ovd"
    settings.FILES = "s3://bucket/ovd"
    said = text(staff)
    assert 'pg_dump --format=custom --file=/BACKUP/ovd.dump "$DATABASE_URL"' in said
    assert "rsync" not in said and "back it up where it is" in said and "hush" not in said


def test_settings_show_no_secret(staff: Client, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.DATABASE_URL = "postgresql://ovd:hush@db.example.org/ovd?sslpassword=hush"
    settings.SENDS_LETTERS = True
    monkeypatch.setenv("OVD_EMAIL_URL", "smtp://ovd:hush@mail.example.org:587")
    page = staff.get("/system/").content.decode()
    assert "db.example.org" in page and "mail.example.org" in page
    assert "hush" not in page and settings.SECRET_KEY not in page


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("/srv/files", "/srv/files"),
        ("postgresql://ovd@/ovd?host=/run", "postgresql://ovd@/ovd?host=/run"),
        ("smtp://ana:a@b@mail:25", "smtp://ana:•••@mail:25"),
        ("postgresql://u@h/d?password=x&sslmode=require", "postgresql://u@h/d?•••&sslmode=require"),
    ],
)
def test_addresses_are_shown_without_passwords(address: str, shown: str) -> None:
    assert settings_words.without_password(address) == shown
