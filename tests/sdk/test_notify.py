"""Telling an application that new data arrived, and asking what its triggers said, from a program and a terminal."""

import pytest

from ovd.client import Client, InvalidInput
from sdk.client_platform import Platform
from sdk.command_line import Ovd

FLOW = "acme/flow"


def test_a_notice_comes_back_with_what_came_of_it(client: Client, platform: Platform) -> None:
    found = client.notify(FLOW, note="night import")
    assert (found["decision"], found["learning_run"]["number"]) == ("due", 3)
    client.notify(FLOW, source="s3://flow")
    client.notify(FLOW)
    sent = [body for _, body in platform.learning.bodies]
    assert sent == [{"note": "night import"}, {"source": "s3://flow"}, {}]


def test_a_source_that_is_not_declared_is_invalid_input(client: Client) -> None:
    with pytest.raises(InvalidInput, match="It declares s3://flow"):
        client.notify(FLOW, source="s3://unknown")


def test_evaluations_come_newest_first_over_pages_and_as_many_as_wanted(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [one["id"] for one in client.triggers(FLOW, most=4)] == ["9", "8", "7", "6"]
    monkeypatch.setattr("ovd.client.learning.LARGEST_PAGE", 2)
    assert [one["id"] for one in client.triggers(FLOW, kind="notice", decision="due")] == list("987654321")


def test_the_command_says_what_came_of_it_and_how_to_follow(signed_in: Ovd, platform: Platform) -> None:
    said = signed_in("notify", FLOW, "--note", "night import")
    assert (said.code, said.out) == (0, "Due: ada said that new data arrived.\n")
    assert said.err == "Learning run 3. Follow it with: ovd learn acme/flow --current\n"
    platform.learning.is_open = True
    said = signed_in("notify", FLOW, "--source", "s3://flow")
    assert (said.out, said.err) == ("Waits: learning run 3 is open.\n", "")


def test_the_command_names_the_sources_that_are_declared(signed_in: Ovd) -> None:
    said = signed_in("notify", FLOW, "--source", "s3://unknown")
    assert said.code == 1 and "It declares s3://flow." in said.err
