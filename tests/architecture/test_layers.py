"""The floor plan: few rooms at the top, no circle of imports, no import that points upward, not for types either."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

from tests.architecture.source import PACKAGE, nodes

ROOT = "envctl"

MOST_MODULES = 8
"""At the top level of the package: whoever looks for something begins here."""


def module_name(path: Path) -> str:
    """The dotted name of a module's file."""
    parts = (ROOT, *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def names() -> frozenset[str]:
    """The dotted names of all modules."""
    return frozenset(map(module_name, nodes()))


def imported(module: Iterable[ast.AST]) -> Iterator[str]:
    """Every module of the package that is imported: at the top, in functions, and for types only."""
    for node in module:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in names())
        elif isinstance(node, ast.ImportFrom) and node.module and node.module in names():
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name if name in names() else node.module


def imports() -> Mapping[str, frozenset[str]]:
    return {
        (name := module_name(path)): frozenset(imported(module)) - {name}
        for path, module in nodes().items()
    }


def circles(edges: Mapping[str, frozenset[str]]) -> list[list[str]]:
    """The strongly connected parts of more than one node (Tarjan's algorithm)."""
    index: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = lowest[node] = len(index)
        stack.append(node)
        for other in edges[node]:
            if other not in index:
                visit(other)
                lowest[node] = min(lowest[node], lowest[other])
            elif other in stack:
                lowest[node] = min(lowest[node], index[other])
        if lowest[node] == index[node]:
            part = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            found.append(sorted(part))

    for node in sorted(edges):
        if node not in index:
            visit(node)
    return [part for part in found if len(part) > 1]


def test_the_search_for_circles_finds_them():
    edges = {"a": "b", "b": "ca", "c": "d", "d": "", "e": "f", "f": "g", "g": "e"}

    found = circles({node: frozenset(others) for node, others in edges.items()})

    assert sorted(found) == [["a", "b"], ["e", "f", "g"]]


def test_the_search_for_imports_sees_those_in_functions_and_those_for_types():
    tree = ast.parse(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from envctl.session import Session\n"
        "def f():\n    from envctl import errors\n    import envctl.project\n"
    )

    assert set(imported(ast.walk(tree))) == {"envctl.session", "envctl.errors", "envctl.project"}


def test_no_modules_import_each_other_in_a_circle():
    assert circles(imports()) == []


def test_the_top_level_has_few_modules():
    names = sorted(path.name for path in PACKAGE.glob("*.py"))

    assert len(names) <= MOST_MODULES, names


def test_no_module_is_imported_for_its_private_names_by_another_package():
    private = {
        f"{module_name(path)}: {node.module}.{alias.name}"
        for path, module in nodes().items()
        for node in module
        if isinstance(node, ast.ImportFrom) and node.module in names()
        for alias in node.names
        if alias.name.startswith("_") and not alias.name.startswith("__")
    }

    assert private == set()
