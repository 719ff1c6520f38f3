"""What an application prints is read by the runner; a process whose runner is gone ends, and blames nobody."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import os, sys
from ovd import streams
streams.tag(lambda: None)
try:
    {act}
except BaseException as error:
    os.write(2, type(error).__name__.encode())
os.write(2, b"went on")
"""


@pytest.mark.parametrize("act", ["print('hello', flush=True)", "sys.stdout.write('x' * 100_000)"])
def test_who_prints_for_a_runner_that_is_gone_ends_at_once(act: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as out:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM.format(act=act)], stdout=out, stderr=subprocess.PIPE, check=False
        )
    assert (done.returncode, done.stderr) == (1, b"")
