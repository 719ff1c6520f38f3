"""Undeclared outputs: what the code gives to an Outputs class that does not declare it, found before
anything runs."""

import ast
import inspect
from pathlib import Path
from typing import Iterator, List, Type

from ovd.app import Outputs
from ovd.nearest import did_you_mean
from ovd.problems import Problem


def find(outputs: Type[Outputs]) -> List[Problem]:
    """A problem for each `Name(output=…)` in the module of `outputs` whose output the class does not
    declare."""
    try:
        path = inspect.getsourcefile(outputs)
        tree = ast.parse(Path(path).read_text(encoding="utf-8")) if path else ast.Module(body=[], type_ignores=[])
    except (OSError, TypeError, SyntaxError, ValueError):
        return []
    name = Path(path or "app.py").name
    return [_problem(name, keyword, outputs) for keyword in _keywords(tree, outputs)]


def _keywords(tree: ast.AST, outputs: Type[Outputs]) -> Iterator[ast.keyword]:
    declared = outputs.declared()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == outputs.__name__:
            yield from (each for each in node.keywords if each.arg is not None and each.arg not in declared)


def _problem(file: str, keyword: ast.keyword, outputs: Type[Outputs]) -> Problem:
    name = str(keyword.arg)
    cure = did_you_mean(name, outputs.declared()).strip() or f"Declare it in {outputs.__name__}."
    line = getattr(keyword, "lineno", keyword.value.lineno)
    return Problem(file, line, name, f'Output "{name}" is not declared by {outputs.__name__}.', cure)
