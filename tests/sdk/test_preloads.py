"""Preloads: what a lock suggests that a template imports, and what a manifest says instead."""

import re

import pytest

from ovd import preloads

LOCK = """# made by a tool
numpy==2.4.6 ; python_full_version < '3.12' \\
    --hash=sha256:00
Scikit_Learn[tests]==1.9.1 \\
    --hash=sha256:00
    # via torch==2
pandas-stubs==1.0 --hash=sha256:00
numpy==2.5.5 ; python_full_version >= '3.12' --hash=sha256:00
opencv-python @ https://example.org/x.whl
"""


def test_heavy_libraries_of_the_lock_are_suggested_once_and_in_the_order_in_which_they_build_on_each_other() -> None:
    found = preloads.suggested(LOCK)
    assert found[:3] == ["numpy", "numpy.random", "numpy.ma"]
    assert preloads.libraries(found) == ["numpy", "cv2", "sklearn"]
    assert len(found) == len(set(found))


def test_what_the_lock_does_not_name_is_not_suggested() -> None:
    assert preloads.suggested("") == []
    assert preloads.suggested("six==1.17.0\n# torch==2\n") == []


@pytest.mark.parametrize(
    ("preload", "found"),
    [
        ((), []),
        (("json",), ["json"]),
        (("auto",), ["cv2"]),
        (("json", "auto", "cv2", "json"), ["json", "cv2"]),
    ],
)
def test_the_manifest_overrides_adds_or_removes(preload: "tuple[str, ...]", found: "list[str]") -> None:
    assert preloads.resolved(preload, "opencv-python-headless==5.0\n") == found


def test_a_sentence_names_libraries_and_where_they_come_from() -> None:
    assert preloads.said(["numpy", "numpy.ma", "sklearn"], "lock") == (
        "Preloaded by the template: numpy, sklearn (from the lock; [sleep] preload overrides)."
    )
    assert preloads.said(["json"], "manifest").endswith("json (from [sleep] preload).")


def test_every_module_that_may_be_suggested_may_also_be_written_in_a_manifest() -> None:
    names = [module for modules in preloads.KNOWN.values() for module in modules]
    assert all(re.fullmatch(preloads.PATTERN, name) for name in names)
