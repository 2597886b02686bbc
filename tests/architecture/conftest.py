"""The trees of all modules are a million objects: the garbage collector would look at them until the last test."""

from __future__ import annotations

import pytest

from tests.architecture import source


@pytest.fixture(autouse=True, scope="package")
def _trees_go_afterwards():
    yield
    source.nodes.cache_clear()
    source.modules.cache_clear()
