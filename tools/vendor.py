"""Copies the browser assets that pages use out of node_modules into the package: `vendor.py NODE_MODULES TARGET`."""

import gzip
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

FILES = {
    "jquery/dist/jquery.min.js": "jquery.min.js",
    "datatables.net-bs5/css/dataTables.bootstrap5.min.css": "tables.min.css",
}
LOOKS = "@tabler/core/dist/css/tabler.min.css"  # of which pages get only the rules for what they show
PAGES = ["**/*.html", "**/*.py", "**/static/ovd/*.js", "**/static/panel/*.js", "**/static/frontends/*.js"]
PACKAGE = Path(__file__).resolve().parent.parent / "src/ovd_saas"
BUNDLES = Path(__file__).resolve().parent / "bundles"  # each file becomes one script with all that it imports
ICONS = PACKAGE / "assets/icons.txt"  # one name a line
BROTLI = """
  const fs = require("fs"), zlib = require("zlib");
  process.argv.slice(1).forEach(name => fs.writeFileSync(name + ".br", zlib.brotliCompressSync(fs.readFileSync(name))));
"""
DRAWINGS = "@tabler/icons/icons/outline"


def sprite(drawings: Path, names: list[str]) -> str:
    """One SVG file with a symbol for each icon; pages use `<use href="…#name">`."""
    symbols = (f'<symbol id="{name}" viewBox="0 0 24 24">{_paths(drawings / f"{name}.svg")}</symbol>' for name in names)
    return '<svg xmlns="http://www.w3.org/2000/svg">\n' + "\n".join(symbols) + "\n</svg>\n"


def _paths(drawing: Path) -> str:
    """What is drawn, without the invisible square around it."""
    inner = re.sub(r"^<svg[^>]*>|</svg>\s*$", "", drawing.read_text().strip())
    return re.sub(r'<path stroke="none" d="M0 0h24v24H0z" fill="none" />', "", inner).strip()


def bundle(node_modules: Path, source: Path, target: Path) -> None:
    """One script of what `source` imports; `import "jquery"` is the page's own."""
    options = ["--bundle", "--minify", "--format=iife", "--target=es2020", "--log-level=warning"]
    own = f"--alias:jquery={BUNDLES / 'own' / 'jquery.js'}"
    node = {"NODE_PATH": str(node_modules.resolve()), "PATH": os.environ["PATH"]}
    command = [str(node_modules / ".bin/esbuild"), str(source), *options, own, f"--outfile={target}"]
    subprocess.run(command, check=True, env=node)


def looks(node_modules: Path, tables: Path, target: Path) -> None:
    """Tabler's rules for the classes that templates, scripts and code of pages name."""
    content = [*(str(PACKAGE / pattern) for pattern in PAGES), str(tables)]
    command = [str(node_modules / ".bin/purgecss"), "--css", str(node_modules / LOOKS), "--content", *content]
    subprocess.run([*command, "--output", str(target)], check=True)


def vendor(node_modules: Path, target: Path) -> None:
    """Afterwards these files are in `target`, and nothing else; whoever is served from it meanwhile misses none."""
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".vendor-") as made:
        _make(node_modules, Path(made))
        new = {file.name: file for file in Path(made).iterdir()}
        for stale in [file for file in target.iterdir() if file.name not in new]:
            stale.unlink()
        for name, file in new.items():
            file.replace(target / name)


def _make(node_modules: Path, target: Path) -> None:
    for source, name in FILES.items():
        shutil.copyfile(node_modules / source, target / name)
    for source in BUNDLES.glob("*.js"):
        bundle(node_modules, source, target / f"{source.stem}.min.js")
    looks(node_modules, target / "tables.min.js", target / "tabler.min.css")
    (target / "icons.svg").write_text(sprite(node_modules / DRAWINGS, ICONS.read_text().split()))
    for copy in [*target.glob("*.js"), *target.glob("*.css"), *target.glob("*.svg")]:
        copy.with_name(copy.name + ".gz").write_bytes(gzip.compress(copy.read_bytes(), mtime=0))
    scripts = [str(copy) for copy in target.glob("*.js")]
    subprocess.run(["node", "-e", BROTLI, *scripts], check=True)  # a fifth smaller, for browsers that take it


if __name__ == "__main__":
    vendor(Path(sys.argv[1]), Path(sys.argv[2]))
