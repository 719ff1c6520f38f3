"""Reach: hosts as people write them, and as they are compared."""

import re

import pytest

from ovd import reach


@pytest.mark.parametrize(
    ("written", "compared"),
    [
        ("api.example.org", "api.example.org:443"),
        ("API.example.org.:80", "api.example.org:80"),
        ("203.0.113.7:8080", "203.0.113.7:8080"),
        ("[2001:DB8:0::1]:80", "[2001:db8::1]:80"),
        ("[::1]", "[::1]:443"),
    ],
)
def test_a_host_is_compared_in_one_form(written: str, compared: str) -> None:
    assert re.fullmatch(reach.PATTERN, written)
    assert str(reach.parse(written)) == compared
    assert str(reach.parse(compared)) == compared


@pytest.mark.parametrize(
    "written",
    [
        "",
        "x:",
        "x:0",
        "x:65536",
        "https://x.org",
        "x.org/path",
        "x y",
        "*.org",
        "-x",
        "::1",
        "a:b:1",
        "é.org",
        "a" * 64,
    ],
)
def test_what_is_no_host_is_refused(written: str) -> None:
    assert not re.fullmatch(reach.PATTERN, written)


def test_only_what_is_asked_for_and_allowed_is_granted() -> None:
    wished = ["b.org:80", "a.org", "A.org:443"]
    assert reach.granted(wished, ["a.org:443", "c.org:443"]) == ["a.org:443"]
    assert reach.granted(wished, []) == []
    assert reach.granted([], ["a.org"]) == []
