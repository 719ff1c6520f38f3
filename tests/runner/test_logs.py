"""Logs stay within their bound and keep the latest lines."""

from pathlib import Path

import pytest

from ovd_saas.runner import logs


def test_a_log_holds_at_most_two_files_and_the_latest_lines(tmp_path: Path) -> None:
    log = logs.Log(tmp_path / "a.log", limit=1000)
    for number in range(1000):
        log.append(f"line {number}\n".encode())
    log.close()
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 2000
    assert logs.tail(tmp_path / "a.log", 2) == "line 998\nline 999\n"


def test_a_tail_reaches_into_the_file_before(tmp_path: Path) -> None:
    log = logs.Log(tmp_path / "a.log", limit=100)
    log.append(b"".join(b"%09d\n" % number for number in range(11)))
    log.close()
    assert len(logs.tail(tmp_path / "a.log", 5).splitlines()) == 5


def test_one_write_larger_than_the_bound_is_cut_to_it(tmp_path: Path) -> None:
    log = logs.Log(tmp_path / "a.log", limit=100)
    log.append(b"x" * 10_000)
    log.close()
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 200


def test_only_the_latest_logs_are_kept(tmp_path: Path) -> None:
    for number in range(5):
        logs.Log(tmp_path / f"{number}.log").close()
        (tmp_path / f"{number}.log.1").touch()
    logs.prune(tmp_path, keep=2)
    assert len(list(tmp_path.iterdir())) == 4


def test_a_full_disk_costs_lines_and_not_the_runner(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "full.log").symlink_to("/dev/full")
    log = logs.Log(tmp_path / "full.log")
    log.append(b"lost")
    log.append(b"lost too")
    log.close()
    assert [record.message.count("No space left") for record in caplog.records] == [1]
