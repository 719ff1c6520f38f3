"""Copies the browser assets that pages use out of node_modules into the package: `vendor.py NODE_MODULES TARGET`."""

import shutil
import sys
from pathlib import Path

FILES = {
    "jquery/dist/jquery.min.js": "jquery.min.js",
    "@tabler/core/dist/css/tabler.min.css": "tabler.min.css",
    "@tabler/core/dist/js/tabler.min.js": "tabler.min.js",
    "@tabler/icons-webfont/dist/tabler-icons.min.css": "icons/tabler-icons.min.css",
    "@tabler/icons-webfont/dist/fonts/tabler-icons.woff2": "icons/fonts/tabler-icons.woff2",
    "datatables.net/js/dataTables.min.js": "datatables.min.js",
    "datatables.net-bs5/js/dataTables.bootstrap5.min.js": "datatables.bootstrap5.min.js",
    "datatables.net-bs5/css/dataTables.bootstrap5.min.css": "datatables.bootstrap5.min.css",
    "echarts/dist/echarts.min.js": "echarts.min.js",
}


def vendor(node_modules: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    for source, name in FILES.items():
        copy = target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(node_modules / source, copy)


if __name__ == "__main__":
    vendor(Path(sys.argv[1]), Path(sys.argv[2]))
