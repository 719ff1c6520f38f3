"""The steps of a tutorial: what its reader types, writes and sees, read from the Markdown itself.

A fence ```` ```console ```` holds commands (`$ …`) and what they print, where `…` stands for anything; further words
say `platform` (needs a running platform), `setup` (not to be run by a test), `fails` (exit code 1). Any other fence
with a second word, ```` ```python app.py ````, is the new content of that file.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Command(NamedTuple):
    line: str
    prints: list[str]
    words: frozenset[str]  # platform, setup, fails


class File(NamedTuple):
    path: str
    content: str


def steps(tutorial: Path) -> Iterator[Command | File]:
    """In the order in which they are read."""
    for language, words, body in FENCE.findall(tutorial.read_text(encoding="utf-8")):
        if language == "console":
            yield from commands(body, frozenset(words.split()))
        elif words.strip():
            yield File(words.strip(), body)


def commands(body: str, words: frozenset[str]) -> Iterator[Command]:
    line, prints = "", []
    for printed in body.splitlines():
        if printed.startswith("$ "):
            if line:
                yield Command(line, prints, words)
            line, prints = printed[2:], []
        else:
            prints.append(printed)
    if line:
        yield Command(line, prints, words)


def shows(printed: str, promised: list[str]) -> bool:
    """Whether `printed` is what the tutorial promised; with nothing promised, anything is."""
    pattern = r"\n".join(".*?".join(map(re.escape, line.split("…"))) for line in promised)
    return not promised or re.fullmatch(pattern, printed.rstrip("\n"), re.DOTALL) is not None
