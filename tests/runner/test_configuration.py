"""Configuration: how patient the runner is when nobody says otherwise."""

from pathlib import Path

from ovd_saas.runner import configuration


def test_code_that_holds_the_interpreter_for_half_a_minute_keeps_its_process(tmp_path: Path) -> None:
    """C code may hold Python's GIL for long; a runner on the same machine that dies takes its processes with it anyway,
    so the lease is for a runner that freezes."""
    assert configuration.read({"OVD_HOME": str(tmp_path)}).lease_seconds == 30
    assert configuration.Configuration(tmp_path, tmp_path, tmp_path).lease_seconds == 30
    assert configuration.read({"OVD_HOME": str(tmp_path), "OVD_LEASE_SECONDS": "1.5"}).lease_seconds == 1.5
