"""A project with a folder to copy."""

from __future__ import annotations

import pytest


@pytest.fixture
def project(tmp_path):
    root = tmp_path / "project"
    (root / "app" / "sub").mkdir(parents=True)
    (root / "app" / "main.py").write_text("print(1)\n")
    (root / "app" / "sub" / "data.txt").write_text("data\n")
    return root


@pytest.fixture
def put(project):
    """Writes files of the project, with the folders they are in."""

    def write(files):
        for path, text in files.items():
            file = project / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)

    return write
