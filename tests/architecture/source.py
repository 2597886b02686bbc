"""The package's modules, parsed once for all tests here."""

from __future__ import annotations

import ast
import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "envctl"


@contextmanager
def _no_garbage() -> Iterator[None]:
    """The collector would look at hundreds of thousands of nodes again and again, and find that all are needed."""
    gc.disable()
    try:
        yield
    finally:
        # Each later look at all of them would take half a second.
        gc.freeze()
        gc.enable()


@cache
@_no_garbage()
def modules() -> Mapping[Path, ast.Module]:
    """Every module of the package, by its file."""
    return {path: ast.parse(path.read_text("utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}


@cache
@_no_garbage()
def nodes() -> Mapping[Path, list[ast.AST]]:
    """All nodes of every module, by its file."""
    return {path: list(ast.walk(tree)) for path, tree in modules().items()}
