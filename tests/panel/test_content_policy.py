"""Every page passes a strict content policy, and every state has one look."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client

import ovd_saas.assets
import pages_rows
from ovd_saas.assets import looks
from ovd_saas.domain import executions, health, learning, learning_runs, models, processes, releases, service, status
from ovd_saas.domain.machine import Machine
from pages_parsed import Page

ASSETS = Path(ovd_saas.assets.__file__).parent


def test_no_page_has_anything_inline(client_of: Callable[..., Client]) -> None:
    rows = pages_rows.platform()
    owner = client_of("owner")
    places = ["/applications/", "/applications/?q=nothing", "/machines/", "/tokens/", "/nowhere/"]
    for name in ("water", "lines", "echo", "broken", "held", "new"):
        row = rows[name]
        tabs = ("overview", "executions", "releases", "timeline", "processes", "about")
        places += [f"/applications/acme/{row.name}/?tab={tab}" for tab in tabs]
        places += [f"/a/acme/{row.name}/"]
    places += ["/applications/acme/water-flow/releases/1/", "/applications/acme/water-flow/releases/2/"]
    places += ["/a/acme/water-flow/?sample=ten-days", "/a/acme/line-segments/?sample=stairs"]
    for name in ("done", "drawn", "failed", "rejected", "taken", "running", "queued"):
        places.append(f"/executions/{rows[name].pk}/")
        places.append(f"/a/acme/{rows[name].application.name}/executions/{rows[name].pk}/")
    for place in places:
        answer = owner.get(place)
        assert answer.status_code == (404 if place == "/nowhere/" else 200), place
        assert (place, Page(answer.content.decode()).inline) == (place, [])
        assert "default-src 'self'" in answer["Content-Security-Policy"]
        assert "unsafe" not in answer["Content-Security-Policy"]


def test_a_page_that_broke_needs_neither_session_nor_database(client: Client) -> None:
    from django.test import RequestFactory

    from ovd_saas.panel.pages import errors

    answer = errors.server_error(RequestFactory().get("/"))
    assert (answer.status_code, Page(answer.content.decode()).inline) == (500, [])


TABLES: list[tuple[Machine, dict[str, looks.Look]]] = [
    (status.STATUS, looks.STATUS),
    (service.SERVICE, looks.SERVICE),
    (learning.LEARNING_REGION, looks.LEARNING),
    (health.HEALTH, looks.HEALTH),
    (executions.EXECUTION, looks.EXECUTIONS),
    (processes.PROCESS, looks.PROCESSES),
    (releases.RELEASE, looks.RELEASES),
    (learning_runs.LEARNING_RUN, looks.LEARNING_RUNS),
    (models.MODEL, looks.MODELS),
]


@pytest.mark.parametrize(("machine", "table"), TABLES, ids=lambda one: getattr(one, "name", ""))
def test_every_state_has_a_look(machine: Machine, table: dict[str, looks.Look]) -> None:
    assert set(table) == set(machine.states)


def test_every_tone_is_a_colour_and_every_icon_is_in_the_sprite() -> None:
    css = (ASSETS / "static/ovd/states.css").read_text()
    icons = set((ASSETS / "icons.txt").read_text().split())
    tables = [table for _, table in TABLES]
    more = [looks.PHASES, looks.RUNNERS, looks.ACTIONS, looks.BATCHES, looks.DECISIONS, looks.TRIGGERS]
    more += [looks.DELIVERIES, looks.PROMOTIONS]
    every = [look for table in [*tables, *more] for look in table.values()]
    assert [look for look in every if f".tone-{look.tone} " not in css] == []
    assert {look.icon for look in every} <= icons
    used = set()
    for page in (ASSETS.parent).rglob("templates/**/*.html"):
        used |= set(re.findall(r'{% icon "([a-z0-9-]+)"', page.read_text()))
    assert used <= icons


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (one / 12.92 if one <= 0.03928 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_states_can_be_read_in_light_and_dark() -> None:
    """WCAG 2.2, 1.4.3: 4.5 to 1."""
    css = (ASSETS / "static/ovd/states.css").read_text()
    pairs = re.findall(r"--(\w+): (#[0-9a-f]{6}); --\w+-soft: (#[0-9a-f]{6});", css)
    assert len(pairs) == 18
    for tone, ink, paper in pairs:
        light, dark = sorted((luminance(ink), luminance(paper)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (tone, ink, paper)
