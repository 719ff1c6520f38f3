"""The reference of the manifest says what the rules say, and its examples are manifests."""

import importlib.util
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("manifest_reference", ROOT / "tools/manifest_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_is_what_the_rules_give_now() -> None:
    generator = _generator()
    written = (ROOT / generator.PAGE).read_text(encoding="utf-8")
    assert written == generator.page(), "run: python tools/manifest_reference.py"


def test_nothing_is_explained_that_does_not_exist() -> None:
    generator = _generator()
    explained = {name for name in generator.MEANINGS if f"`{name.partition('.')[2]}`" in generator.page()}
    assert explained == set(generator.MEANINGS)
    known = {f"{table}.{field}" for table, kind in generator.TABLES.items() for field in kind.__dataclass_fields__}
    assert set(generator.MEANINGS) <= known
