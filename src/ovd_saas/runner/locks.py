"""Locks: what a `requirements.lock` may say: exact versions with hashes, nothing about where to fetch them. Pure."""

import re

REQUIREMENT = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9._, -]*\])?\s*==\s*[^\s;\\]+")
HASH = re.compile(r"--hash=\w+:[0-9a-fA-F]+")
CURE = "Make the lock with `uv pip compile --universal --generate-hashes requirements.in -o requirements.lock`."


def is_empty(text: str) -> bool:
    """True when nothing is to be installed."""
    return not any(line for _, line in _statements(text))


def problem(text: str) -> str | None:
    """What is wrong with the first bad line, or None."""
    for number, line in _statements(text):
        where = f"line {number}"
        if line.startswith("-"):
            return f"{where} has the option {line.split()[0]}: a lock lists versions only; the machine knows the index."
        if not REQUIREMENT.match(line):
            return f"{where}, {line[:60]!r}, is not `name==version`. {CURE}"
        if not HASH.search(line):
            return f"{where}, {line[:60]!r}, has no --hash. {CURE}"
    return None


def _statements(text: str) -> list[tuple[int, str]]:
    """Logical lines with the number of their first line: continued ones joined, comments dropped."""
    statements: list[tuple[int, str]] = []
    parts: list[str] = []
    first = 0
    for number, raw in enumerate(text.splitlines(), start=1):
        line = re.sub(r"(^|\s)#.*$", "", raw).rstrip()
        first = first if parts else number
        parts.append(line.removesuffix("\\").strip())
        if not line.endswith("\\"):
            statements.append((first, " ".join(parts).strip()))
            parts = []
    if parts:
        statements.append((first, " ".join(parts).strip()))
    return [(number, line) for number, line in statements if line]
