"""Which hosts an application may reach, from the command line."""

from sdk.client_platform import Platform
from sdk.command_line import Ovd


def test_what_is_asked_for_and_not_allowed_is_said(signed_in: Ovd, platform: Platform) -> None:
    platform.asked, platform.allowed = ["a.org:443", "b.org:80"], ["b.org:80", "c.org:1"]
    said = signed_in("network", "acme/double")
    assert said.out.splitlines() == [
        "a.org:443  asked for, not allowed: not reached",
        "b.org:80  allowed",
        "c.org:1  allowed, not asked for: not reached",
    ]
    assert platform.count("PATCH", "double") == 0


def test_hosts_are_allowed_beside_those_that_are(signed_in: Ovd, platform: Platform) -> None:
    platform.asked, platform.allowed = ["a.org:443"], ["b.org:80"]
    said = signed_in("network", "acme/double", "--allow", "a.org:443", "--allow", "c.org:1")
    assert platform.allowed == ["b.org:80", "a.org:443", "c.org:1"]
    assert "a.org:443  allowed\n" in said.out
    assert "processes that start from now on" in said.out


def test_all_is_taken_back_with_none(signed_in: Ovd, platform: Platform) -> None:
    platform.allowed = ["a.org:443", "b.org:80"]
    said = signed_in("network", "acme/double", "--none")
    assert platform.allowed == []
    assert said.out.startswith("It asks for no host")
    signed_in("network", "acme/double", "--none", "--allow", "c.org:1")
    assert platform.allowed == ["c.org:1"]
