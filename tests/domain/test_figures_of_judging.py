"""The commands that measure the gate and drift run, and print tables as they stand in the documents."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SMALL = {
    "drift": ["--repetitions", "1", "--reference", "100", "--window", "20", "--every", "40"],
    "gate": ["--repetitions", "2"],
}


def rows(text: str) -> list[str]:
    """The lines of tables, without figures."""
    return [re.sub(r"\|[ \d.,%–]+(?=\|)", "| ", line) for line in text.splitlines() if line.startswith("|")]


@pytest.mark.parametrize("command", sorted(SMALL))
def test_the_table_in_the_document_is_of_the_shape_that_the_command_prints(command: str) -> None:
    arguments = [sys.executable, str(ROOT / "bench" / f"{command}.py"), *SMALL[command]]
    printed = rows(subprocess.run(arguments, check=True, capture_output=True, text=True).stdout)
    document = (ROOT / "docs" / "explanation" / f"{command}.md").read_text().split("<!-- measured -->")
    assert len(document) == 3, "the tables stand between two marks"
    assert printed == rows(document[1])
