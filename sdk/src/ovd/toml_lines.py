"""Lines of a TOML file: where each key stands, which the parser of the standard library does not tell."""

import re
from typing import Dict, Tuple

Path = Tuple[str, ...]

_TABLE = re.compile(r"^\s*\[\[?\s*(?P<keys>[^\]]+?)\s*\]\]?\s*(#.*)?$")
_NAME = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_KEY = re.compile(rf"^\s*(?P<keys>{_NAME}(?:\s*\.\s*{_NAME})*)\s*=")
_PART = re.compile(_NAME)
_TOKEN = re.compile(r'"""|\'\'\'|"(?:\\.|[^"\\])*"|\'[^\']*\'|#|[\[\]{}]')


def lines_of(text: str) -> Dict[Path, int]:
    """The line (from 1) of every table and key, by its path; a key inside an inline table has its parent's
    line."""
    found: Dict[Path, int] = {}
    table: Path = ()
    state = _State()
    for number, line in enumerate(text.splitlines(), start=1):
        if not state.is_inside_a_value:
            header = _TABLE.match(line)
            key = _KEY.match(line)
            if header and not key:
                table = _parts(header.group("keys"))
                _remember(found, table, number)
                continue
            if key:
                _remember(found, table + _parts(key.group("keys")), number)
                line = line[key.end() :]
        state.read(line)
    return found


def line_of(lines: Dict[Path, int], path: Path) -> int:
    """The line of `path`, else of the nearest table or key that holds it, else 0."""
    while path:
        if path in lines:
            return lines[path]
        path = path[:-1]
    return 0


def _parts(keys: str) -> Path:
    return tuple(part.strip("\"'") for part in _PART.findall(keys))


def _remember(found: Dict[Path, int], path: Path, number: int) -> None:
    for length in range(1, len(path) + 1):
        found.setdefault(path[:length], number)


class _State:
    """Whether a value goes on over the end of a line: an open bracket or a multi-line string."""

    def __init__(self) -> None:
        self._depth = 0
        self._quote = ""

    @property
    def is_inside_a_value(self) -> bool:
        return bool(self._depth or self._quote)

    def read(self, line: str) -> None:
        place = 0
        while True:
            if self._quote:
                end = line.find(self._quote, place)
                if end < 0:
                    return
                place = end + len(self._quote)
                self._quote = ""
                continue
            token = _TOKEN.search(line, place)
            if token is None or token.group() == "#":
                return
            place = token.end()
            self._see(token.group())

    def _see(self, token: str) -> None:
        if token in ('"""', "'''"):
            self._quote = token
        elif token in "[{":
            self._depth += 1
        elif token in "]}":
            self._depth = max(0, self._depth - 1)
