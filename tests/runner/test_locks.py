"""Which locks are taken, and what is said about the others."""

import pytest

from ovd_saas.runner import locks

GOOD = """
# made by uv
numpy==2.1.0 ; python_version >= "3.11" \\
    --hash=sha256:00ff \\
    --hash=sha256:11ee
uvicorn[standard]==0.30.0 --hash=sha256:22dd  # with an extra
"""


def test_versions_with_hashes_are_taken() -> None:
    assert locks.problem(GOOD) is None
    assert not locks.is_empty(GOOD)


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing needed\n", "   \\\n  \n"])
def test_a_lock_without_packages_is_empty(text: str) -> None:
    assert locks.problem(text) is None
    assert locks.is_empty(text)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--index-url https://example.org/simple", "option --index-url"),
        ("-i https://example.org/simple", "option -i"),
        ("--find-links /tmp", "option --find-links"),
        ("-r other.txt", "option -r"),
        ("-e .", "option -e"),
        ("numpy", "not `name==version`"),
        ("numpy>=2 --hash=sha256:00", "not `name==version`"),
        ("numpy @ https://example.org/numpy.whl --hash=sha256:00", "not `name==version`"),
        ("./local --hash=sha256:00", "not `name==version`"),
        ("numpy==2.1.0", "no --hash"),
        ("numpy==2.1.0 \\\n  # --hash=sha256:00", "no --hash"),
    ],
)
def test_anything_else_is_refused_with_its_line(line: str, said: str) -> None:
    problem = locks.problem(f"six==1.17.0 --hash=sha256:00\n{line}\n")
    assert problem is not None
    assert "line 2" in problem
    assert said in problem
