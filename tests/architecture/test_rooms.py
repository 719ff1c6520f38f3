"""The tree keeps what it promises: each file says what it is, states have one writer, no page has inline code."""

import ast
import re
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py")) + sorted((ROOT / "sdk" / "src").rglob("*.py"))
STATES = ("status", "service", "learning", "health", "state")
WRITERS = ("store/transitions.py", "store/claims.py", "store/journal.py")


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_first_line_of_every_file_says_what_it_is() -> None:
    files = [path for path in SOURCES if path.stat().st_size and not {"migrations", "starter"} & set(path.parts)]
    assert [name(path) for path in files if not ast.get_docstring(ast.parse(path.read_text()))] == []


def test_only_transitions_claims_and_the_journal_write_a_state() -> None:
    """Rows are born with a state by `create`; every later write of one goes through store/."""
    assert [line for path in SOURCES if not name(path).endswith(WRITERS) for line in state_writes(path)] == []


def state_writes(path: Path) -> list[str]:
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    updates = [call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "update"]
    return [
        f"{name(path)}:{call.lineno}" for call in updates if {keyword.arg for keyword in call.keywords} & set(STATES)
    ]


def test_pages_hold_no_inline_script_or_style() -> None:
    for path in sorted((ROOT / "src").rglob("*.html")):
        text = path.read_text()
        assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)[^>]*>", text), name(path)
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=\"", text), name(path)


def test_the_wheel_carries_the_page_assets(tmp_path: Path) -> None:
    build = ["uv", "build", "--wheel", "--no-build-isolation", "--offline", "--quiet", "--out-dir", str(tmp_path)]
    subprocess.run([sys.executable, "-m", *build, str(ROOT)], check=True)
    [wheel] = tmp_path.glob("ovd_saas-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for name in ("vendor/jquery.min.js", "vendor/tabler.min.css", "vendor/charts.min.js", "ovd/pages.css"):
        assert f"ovd_saas/assets/static/{name}" in names
