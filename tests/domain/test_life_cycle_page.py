"""The page and the drawings of the life cycle say what the tables say."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

from ovd_saas.domain.diagram import arrows, diagram
from ovd_saas.domain.layouts import LAYOUTS, WIDTH

ROOT = Path(__file__).resolve().parents[2]
SVG = "{http://www.w3.org/2000/svg}"


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("life_cycle", ROOT / "tools/life_cycle.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", _generator().files())
def test_generated_files_are_those_that_the_tables_give_now(path: Path) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == _generator().files()[path], "run: python tools/life_cycle.py"


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_state_and_every_row_of_a_table_is_drawn_once(name: str) -> None:
    layout = LAYOUTS[name]
    assert set(layout.places) == set(layout.machine.states)
    drawn = [row for arrow in arrows(layout) for row in arrow.rows]
    assert sorted(drawn, key=str) == sorted(layout.machine.transitions, key=str)
    pairs = {(row.source, row.target) for row in layout.machine.transitions}
    assert {*layout.bends, *layout.labels, *layout.flipped} <= pairs, "an adjustment for an arrow that does not exist"


@pytest.mark.parametrize("name", LAYOUTS)
def test_states_stand_inside_the_drawing_and_do_not_touch(name: str) -> None:
    layout = LAYOUTS[name]
    places = list(layout.places.values())
    for index, (x, y) in enumerate(places):
        assert 46 <= x <= WIDTH - 46
        assert 19 <= y <= layout.height - 19
        for other_x, other_y in places[index + 1 :]:
            assert abs(x - other_x) >= 94 or abs(y - other_y) >= 40


def test_the_present_state_is_lit_and_only_its_arrows_are_possible() -> None:
    root = ElementTree.fromstring(diagram({"service": "awake", "status": "enabled"}))
    lit = [group.get("id") for group in root.iter(f"{SVG}g") if "lit" in (group.get("class") or "").split()]
    assert lit == ["state-status-enabled", "state-service-awake"]
    possible = [
        (group.get("data-region"), group.get("data-event"))
        for group in root.iter(f"{SVG}g")
        if group.get("class") == "arrow possible"
    ]
    assert possible == [("status", "suspend"), ("service", "drain"), ("service", "lose")]


def test_a_state_that_does_not_exist_is_refused() -> None:
    with pytest.raises(KeyError, match="service has no state 'awoken'"):
        diagram({"service": "awoken"})


def test_an_inlined_drawing_has_nothing_that_a_strict_content_policy_blocks() -> None:
    text = diagram({"service": "awake"})
    assert not re.search(r"<style|\sstyle=|<script|\son\w+=|href=", text)
    assert "<style>" in diagram(is_standalone=True)
