"""Copies the browser assets that pages use out of node_modules into the package: `vendor.py NODE_MODULES TARGET`."""

import gzip
import re
import shutil
import sys
from pathlib import Path

FILES = {
    "jquery/dist/jquery.min.js": "jquery.min.js",
    "@tabler/core/dist/css/tabler.min.css": "tabler.min.css",
    "@tabler/core/dist/js/tabler.min.js": "tabler.min.js",
    "echarts/dist/echarts.min.js": "echarts.min.js",
}
ICONS = Path(__file__).resolve().parent.parent / "src/ovd_saas/assets/icons.txt"  # one name a line
DRAWINGS = "@tabler/icons/icons/outline"


def sprite(drawings: Path, names: list[str]) -> str:
    """One SVG file with a symbol for each icon; pages use `<use href="…#name">`."""
    symbols = (f'<symbol id="{name}" viewBox="0 0 24 24">{_paths(drawings / f"{name}.svg")}</symbol>' for name in names)
    return '<svg xmlns="http://www.w3.org/2000/svg">\n' + "\n".join(symbols) + "\n</svg>\n"


def _paths(drawing: Path) -> str:
    """What is drawn, without the invisible square around it."""
    inner = re.sub(r"^<svg[^>]*>|</svg>\s*$", "", drawing.read_text().strip())
    return re.sub(r'<path stroke="none" d="M0 0h24v24H0z" fill="none" />', "", inner).strip()


def vendor(node_modules: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    for source, name in FILES.items():
        copy = target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(node_modules / source, copy)
    (target / "icons.svg").write_text(sprite(node_modules / DRAWINGS, ICONS.read_text().split()))
    for copy in [*target.glob("*.js"), *target.glob("*.css"), *target.glob("*.svg")]:
        copy.with_name(copy.name + ".gz").write_bytes(gzip.compress(copy.read_bytes(), mtime=0))


if __name__ == "__main__":
    vendor(Path(sys.argv[1]), Path(sys.argv[2]))
