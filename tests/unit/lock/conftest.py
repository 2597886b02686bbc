"""A project with an engine that knows images by what is in them."""

from __future__ import annotations

import pytest

from tests.support.paper import opened_with
from tests.support.project import Project


@pytest.fixture
def engine(monkeypatch):
    return opened_with(monkeypatch)


@pytest.fixture
def project(tmp_path, engine):
    return Project(tmp_path, backend="memory", environ={}).spec(
        "web: {packages: [hello], command: [x]}"
    )
