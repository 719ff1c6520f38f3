"""Intake, the conversion: runs the converter on a file and reads what it says. Floor 2.

The converter is not trusted more than what it reads: its lines go through the same check as any others.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from ovd.schema import FieldError
from ovd_saas.appcore.intake_check import Check
from ovd_saas.appcore.refusals import Refusal

CSV = "csv"
PARQUET = "parquet"
_READ = 1 << 18  # bytes at once
_LONGEST = 64 << 20  # bytes of one line: a sample may need more as JSON than where it came from
_VARIABLES = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "OMP_NUM_THREADS": "1",
    "ARROW_IO_THREADS": "1",
}


class Unreadable(Refusal):
    """The bytes are not what they are said to be."""

    code = "invalid"
    http = 422


def samples(kind: str, file: BinaryIO, sample: dict[str, Any], check: Check) -> Iterator[bytes]:
    """Lines to be kept of a CSV or Parquet file, which is read from its beginning; faults go to `check`.

    Raises Unreadable.
    """
    is_whole = False
    with _converter(kind, file, sample) as output:
        for block in _blocks(output):
            if b"\n." in block or block.startswith(b"."):
                is_whole = True
            if block[0:1] == b"{" and not any(mark in block for mark in (b"\n@", b"\n!", b"\n#", b"\n.")):
                yield check.block(block)
            else:
                yield b"".join(_each(block, check))
    if not is_whole:
        raise Unreadable(
            "The file cannot be read within the memory and time that are granted for it. Send it in smaller pieces."
        )


def _each(block: bytes, check: Check) -> Iterator[bytes]:
    for line in block.splitlines():
        mark = line[:1]
        if mark == b"{":
            yield check.line(line)
        elif mark == b"@":
            check.next = int(line[1:])
        elif mark == b"!":
            place, _, errors = line[1:].partition(b" ")
            check.fault(int(place), [FieldError(str(name), str(why)) for name, why in json.loads(errors)])
        elif mark == b"#":
            raise Unreadable(str(json.loads(line[1:])))


def _blocks(output: int) -> Iterator[bytes]:
    """Whole lines, many at once."""
    rest = b""
    while chunk := os.read(output, _READ):
        end = chunk.rfind(b"\n") + 1
        if end:
            yield rest + chunk[:end]
            rest = chunk[end:]
        else:
            rest += chunk
        if len(rest) > _LONGEST:
            raise Unreadable(f"A sample has more than {_LONGEST >> 20} MiB as JSON. Send large data as files.")


@contextmanager
def _converter(kind: str, file: BinaryIO, sample: dict[str, Any]) -> Iterator[int]:
    """The descriptor of the output of a running converter, which ends with the context."""
    file.seek(0)
    given = os.memfd_create("sample")
    try:
        os.write(given, json.dumps(sample).encode())
        os.lseek(given, 0, os.SEEK_SET)
        command = [sys.executable, "-I", "-B", "-m", "ovd_saas.appcore.intake_convert", kind, str(given)]
        process = subprocess.Popen(
            command, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, pass_fds=[given], env=_VARIABLES
        )
    finally:
        os.close(given)
    assert process.stdout is not None
    try:
        yield process.stdout.fileno()
    finally:
        process.kill()
        process.stdout.close()
        process.wait()
