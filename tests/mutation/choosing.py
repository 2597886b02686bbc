"""Which tests could notice a fault, the likeliest first."""

from __future__ import annotations

import ast
import functools
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from tests.mutation.covering import TREE, Coverage
from tests.mutation.operators import Mutant
from tests.mutation.worker import Try

_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)
_DEEP: Final = 3
"""How many constants a constant may lead through to the function that uses it."""


def tests_for(mutant: Mutant, coverage: Coverage, *, budget: float) -> Try | None:
    """The tests that run the fault's lines, for `budget` seconds; None if there are none."""
    if mutant.code_is_replaceable:
        found = coverage.of_lines(mutant.path, range(mutant.lines[0], mutant.lines[1] + 1))
        found = found or _of_function(mutant, coverage)
    else:
        found = _of_constant(mutant, coverage)
    able = [number for number in found if coverage.tests[number] not in coverage.failed]
    able.sort(
        key=lambda number: (
            distance(coverage.tests[number], mutant.path),
            -coverage.share(number, mutant.path),
            coverage.seconds[number],
        )
    )
    chosen: list[str] = []
    spent = 0.0
    for number in able:
        if not chosen or spent + coverage.seconds[number] <= budget:
            chosen.append(coverage.tests[number])
            spent += coverage.seconds[number]
    return Try(mutant, tuple(chosen), spent) if chosen else None


def _of_function(mutant: Mutant, coverage: Coverage) -> set[int]:
    """Where a line of a longer statement was not seen by itself: all that runs the function's body."""
    for node, (first, last) in _bodies(mutant.path).items():
        if node == (mutant.function, mutant.first_line):
            return coverage.of_lines(mutant.path, range(first, last + 1))
    return set()


def _of_constant(mutant: Mutant, coverage: Coverage) -> set[int]:
    """What runs a line that names the constant, the field or its class; of a default, what runs its function.

    If nothing does, whatever runs anything of the module.
    """
    for (name, line), (first, last) in _bodies(mutant.path).items():
        if line <= mutant.lines[0] < first and name.rpartition(".")[0] == mutant.function:
            return coverage.of_lines(mutant.path, range(first, last + 1))
    names = {*_targets(mutant), *([mutant.function.rpartition(".")[2]] if mutant.function else [])}
    found: set[int] = set()
    for _ in range(_DEEP):
        more = set(names)
        for name in names:
            for path, line in _uses().get(name, ()):
                found |= coverage.of_lines(path, [line])
            more |= _led_to().get(name, set())
        if more == names:
            break
        names = more
    return found or coverage.of_lines(mutant.path, coverage.lines.get(mutant.path, ()))


def _targets(mutant: Mutant) -> Iterator[str]:
    for node in ast.walk(_tree(mutant.path)):
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.lineno == mutant.lines[0]:
            yield from _assigned(node)


def _assigned(node: ast.AST) -> Iterator[str]:
    targets = getattr(node, "targets", None) or [getattr(node, "target", None)]
    for one in targets:
        yield from (name.id for name in ast.walk(one) if isinstance(name, ast.Name)) if one else ()


def distance(test: str, path: str) -> int:
    """0: the module's own tests; 1: those of its folder, or of one above that; 2: others."""
    module, file = Path(path), Path(test.partition("::")[0])
    folder, tested = module.parts[1:-1], file.parts[2:-1]
    own = module.parent.name if module.stem == "__init__" else module.stem
    if tested != folder[: len(tested)]:
        return 2
    if file.stem == f"test_{own}" or (tested and file.stem == f"test_{folder[-1]}"):
        return 0
    return 1 if tested else 2


@functools.cache
def _tree(path: str) -> ast.Module:
    return ast.parse((TREE / path).read_text("utf-8"))


@functools.cache
def _bodies(path: str) -> Mapping[tuple[str, int], tuple[int, int]]:
    """Each function's lines, by its name and first line."""
    found: dict[tuple[str, int], tuple[int, int]] = {}

    def look(node: ast.AST, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, _FUNCTIONS):
                first = min([child.lineno, *(one.lineno for one in child.decorator_list)])
                found[f"{prefix}{child.name}", first] = child.body[0].lineno, child.end_lineno or 0
            elif isinstance(child, ast.ClassDef):
                look(child, f"{prefix}{child.name}.")

    look(_tree(path), "")
    return found


@functools.cache
def _uses() -> Mapping[str, set[tuple[str, int]]]:
    """Where each name is used inside of functions: paths and lines."""
    found: dict[str, set[tuple[str, int]]] = defaultdict(set)
    for file in (TREE / "envctl").rglob("*.py"):
        path = str(file.relative_to(TREE))
        for function in ast.walk(_tree(path)):
            if isinstance(function, _FUNCTIONS):
                for node in ast.walk(function):
                    if isinstance(node, ast.Name):
                        found[node.id].add((path, node.lineno))
                    elif isinstance(node, ast.Attribute):
                        found[node.attr].add((path, node.lineno))
    return found


@functools.cache
def _led_to() -> Mapping[str, set[str]]:
    """Constants, classes and their fields that are made of others: by what they are made of."""
    found: dict[str, set[str]] = defaultdict(set)
    for file in (TREE / "envctl").rglob("*.py"):
        tree = _tree(str(file.relative_to(TREE)))
        for statement in [
            *tree.body,
            *(one for cls in tree.body if isinstance(cls, ast.ClassDef) for one in cls.body),
        ]:
            if isinstance(statement, (ast.Assign, ast.AnnAssign)) and statement.value:
                for node in ast.walk(statement.value):
                    if isinstance(node, ast.Name):
                        found[node.id].update(_assigned(statement))
    return found
