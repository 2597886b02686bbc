"""The package's modules, parsed once for all tests here."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "envctl"


@cache
def modules() -> Mapping[Path, ast.Module]:
    """Every module of the package, by its file."""
    return {path: ast.parse(path.read_text("utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}
