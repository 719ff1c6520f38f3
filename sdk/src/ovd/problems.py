"""Problems: what is wrong with an application's folder, where, and how to cure it."""

from typing import Iterable, List, NamedTuple


class Problem(NamedTuple):
    """One thing to cure. `line` counts from 1; 0 means the whole file."""

    file: str  # relative to the folder
    line: int
    key: str  # dotted key of the manifest, or the name in the code; empty = the file itself
    message: str
    cure: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        subject = f" {self.key}:" if self.key else ""
        return f"{place}:{subject} {self.message} {self.cure}".rstrip()


class ProblemsFound(Exception):
    """An application's folder cannot be used; `problems` says why, one by one."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: List[Problem] = list(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class ManifestError(ProblemsFound):
    """The problems are in the manifest."""
