"""Imports of projects of the tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from envctl.conversion.conversion_report import line_json
from envctl.imports.imported_project import ImportChoices
from envctl.verbs.import_spec import import_source
from tests.support.compose_projects import write_project


class Imported:
    """The files of a spec, and the report as a program sees it."""

    def __init__(self, folder: Path, **choices: bool) -> None:
        _, self.project = import_source(folder, ImportChoices(**choices))
        self.folder = folder
        self.texts = {path: file.text for path, file in self.project.files.items()}
        self.lines = [
            line_json(line, self.project.new_place(line)) for line in self.project.report.lines
        ]

        self.files_read = [*self.project.sources]

    @property
    def spec(self) -> Any:
        import yaml

        return yaml.safe_load(self.texts["envctl.yaml"])

    def outcomes(self, key: str) -> list[tuple[str, str]]:
        """What became of a key: outcomes and notes."""
        return [(line["outcome"], line["note"]) for line in self.lines if line["key"] == key]


Import = Callable[..., Imported]


@pytest.fixture
def import_files(tmp_path: Path) -> Import:
    """Import a project of some files; a text alone is compose.yaml."""

    def run(files: str | Mapping[str, str], **choices: bool) -> Imported:
        folder = tmp_path / "project"
        for path, text in ({"compose.yaml": files} if isinstance(files, str) else files).items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return Imported(folder, **choices)

    return run


@pytest.fixture
def import_project(tmp_path: Path) -> Import:
    """Import one of the projects of tests/support."""

    def run(name: str, **choices: bool) -> Imported:
        (tmp_path / name).mkdir(exist_ok=True)
        return Imported(write_project(name, tmp_path / name), **choices)

    return run
