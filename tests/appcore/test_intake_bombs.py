"""Files for the intake that were made to cost: each is refused in words, quickly."""

import io
import time

import pytest

from ovd_saas.appcore import intake_convert
from ovd_saas.appcore.intake_convert import Lines, Unreadable


def test_a_header_of_a_million_columns_is_refused_at_once() -> None:
    header = ",".join(f"c{number}" for number in range(1_000_000)).encode() + b"\n1\n"
    began = time.monotonic()
    with pytest.raises(Unreadable, match="1,000,000 columns"):
        intake_convert.from_csv(io.BytesIO(header), {}, Lines(io.BytesIO()))
    assert time.monotonic() - began < 20


def test_a_name_that_comes_ten_thousand_times_is_told_so() -> None:
    out = io.BytesIO()
    lines = Lines(out)
    intake_convert.from_csv(io.BytesIO(b",".join([b"a"] * 10_000) + b"\n1\n"), {}, lines)
    lines.end()
    assert b"names two columns" in out.getvalue() and len(out.getvalue()) < 1 << 20
