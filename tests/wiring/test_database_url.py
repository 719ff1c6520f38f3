"""DATABASE_URL: all it says is kept, and what cannot be used is refused in a sentence, without the password."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from psycopg.conninfo import conninfo_to_dict

from ovd_saas.store import notices
from ovd_saas.wiring import settings

GIVEN = "postgresql://ana:pa%20ss@db.example:5433/flow?sslmode=verify-full&sslrootcert=/etc/ca.pem"


def test_encryption_and_other_parameters_of_the_address_reach_every_connection() -> None:
    made = settings.database(GIVEN)
    assert (made["NAME"], made["USER"], made["PASSWORD"], made["PORT"]) == ("flow", "ana", "pa ss", "5433")
    assert made["OPTIONS"]["sslmode"] == "verify-full" and made["OPTIONS"]["sslrootcert"] == "/etc/ca.pem"
    listening = conninfo_to_dict(notices.address(made))
    assert listening["sslmode"] == "verify-full" and listening["host"] == "db.example"


@pytest.mark.parametrize("url", ["nonsense", "mysql://x/y", "postgresql://ana@db.example"])
def test_what_is_no_address_of_a_database_is_refused(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL"):
        settings.database(url)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://ana:hunter2@127.0.0.1:1/flow", "Connection refused"),
        ("postgresql://ana:hunter2@127.0.0.1:1", "names no database"),
    ],
)
def test_a_database_that_cannot_be_used_is_said_in_a_sentence(url: str, says: str, tmp_path: Path) -> None:
    given = {"DATABASE_URL": url, "OVD_HOME": str(tmp_path), "DJANGO_SETTINGS_MODULE": "ovd_saas.wiring.settings"}
    done = subprocess.run(
        [sys.executable, "-m", "ovd_saas.wiring.bootstrap", str(tmp_path / "credentials.json")],
        env=os.environ | given,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert says in done.stderr and "Traceback" not in done.stderr and "hunter2" not in done.stderr
