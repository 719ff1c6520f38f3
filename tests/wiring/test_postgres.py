"""The embedded PostgreSQL: comes back after a sudden death, and half-made clusters are made anew."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ovd_saas.wiring import home
from ovd_saas.wiring.postgres import Postgres, PostgresFailed, binaries


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="ovd-pg-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def cluster(folder: Path) -> Iterator[Postgres]:
    made = Postgres(folder / "postgresql" / "data", folder)
    yield made
    made.stop()


def ask(cluster: Postgres, sql: str) -> str:
    command = [str(binaries() / "psql"), "-qAt", "-h", str(cluster.run), "-U", "ovd", "ovd", "-c", sql]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_killed_under_load_it_starts_again_at_once(cluster: Postgres) -> None:
    cluster.start()
    ask(cluster, "CREATE TABLE kept (n int)")
    for round_ in range(3):
        ask(cluster, "INSERT INTO kept VALUES (1)")
        busy = [
            subprocess.Popen(
                [str(binaries() / "psql"), "-q", "-h", str(cluster.run), "-U", "ovd", "ovd"],
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )
            for _ in range(8)
        ]  # fmt: skip
        for client in busy:
            client.stdin.write(b"SELECT sum(n) FROM generate_series(1, 300000000) AS n;\n")  # type: ignore[union-attr]
            client.stdin.flush()  # type: ignore[union-attr]
        time.sleep(0.3)
        os.kill(cluster.process.pid, signal.SIGKILL)  # type: ignore[union-attr]
        cluster.process.wait()  # type: ignore[union-attr]
        cluster.start()
        assert ask(cluster, "SELECT count(*) FROM kept") == str(round_ + 1)
        for client in busy:
            client.kill()
            client.wait()


def test_a_cluster_whose_making_was_interrupted_is_made_anew(cluster: Postgres, folder: Path) -> None:
    half = folder / "postgresql" / "data.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("16\n")
    cluster.start()
    assert ask(cluster, "SELECT 1") == "1"
    assert not half.exists()


def test_a_cluster_that_cannot_start_says_its_last_words_and_leaves_nothing_running(
    cluster: Postgres, folder: Path
) -> None:
    cluster.settings["shared_buffers"] = "nonsense"
    with pytest.raises(PostgresFailed, match="nonsense"):
        cluster.start()
    assert cluster.process is None or cluster.process.poll() is not None


def test_folders_with_odd_names_get_their_sockets_elsewhere(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OVD_RUN", raising=False)
    for odd in ("with space", "a,b", "per%cent", "at@", "é", "x" * 70):
        run = home.run_folder(folder / odd)
        assert run.parent == Path("/tmp") and run.is_dir()
        run.rmdir()
    assert home.run_folder(folder / "plain") == folder / "plain" / "run"
