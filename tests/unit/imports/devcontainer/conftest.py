"""Imports of dev containers of the tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.compose_report import unreported
from tests.support.devcontainers import FILE, without_comments, write_dev_container
from tests.unit.imports.compose.conftest import Imported

Import = Callable[..., Imported]


@pytest.fixture
def import_text(tmp_path: Path) -> Import:
    """Import files; a text alone is devcontainer.json."""

    def run(files: str | Mapping[str, str], path: str = "", **choices: bool) -> Imported:
        folder = tmp_path / "project"
        for name, text in ({FILE: files} if isinstance(files, str) else files).items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return Imported(folder / path, **choices)

    return run


@pytest.fixture
def import_dev_container(tmp_path: Path) -> Import:
    """Import one of the dev containers of tests/support."""

    def run(name: str, **choices: bool) -> Imported:
        folder = write_dev_container(name, tmp_path / name)
        imported = Imported(folder / FILE, **choices)
        imported.folder = folder
        return imported

    return run


def without_a_line(imported: Imported, lines: Sequence[Mapping[str, Any]] = ()) -> list[str]:
    """Places of the source that no line of the report is about."""
    copy = imported.folder / "copy"
    for file in imported.files_read:
        (copy / file).parent.mkdir(parents=True, exist_ok=True)
        text = (imported.folder / file).read_text("utf-8-sig")
        (copy / file).write_text(without_comments(text) if file.endswith(".json") else text)
    return unreported(copy, imported.files_read, lines or imported.lines)
