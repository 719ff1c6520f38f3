"""What a template imports ahead: what fails costs the import, and leaves nothing half-way."""

import subprocess
import sys
from pathlib import Path

HALF = (
    "import half.part\nfrom half import part\nimport os\nif 'WHOLE' not in os.environ:\n    raise OSError('no place')\n"
)
CODE = """
import os, sys
sys.path.insert(0, sys.argv[1])
from ovd import template
said = template._warm(["json.tool", "half", "colorsys"])
print(said["imported"], said["missing"])
print([name for name in sys.modules if name.startswith("half")], "json.tool" in sys.modules)
os.environ["WHOLE"] = "1"
import half
print(half.part.number)
"""


def test_a_package_that_failed_half_way_can_be_imported_again_by_the_application(tmp_path: Path) -> None:
    (tmp_path / "half").mkdir()
    (tmp_path / "half/__init__.py").write_text(HALF)
    (tmp_path / "half/part.py").write_text("import colorsys\nnumber = 7\n")
    done = subprocess.run([sys.executable, "-c", CODE, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == [
        "['json.tool', 'colorsys'] {'half': 'OSError: no place'}",
        "[] True",
        "7",
    ], done.stderr
