"""The contract suite runs on every backend; a test asks for capabilities, never for a name."""

from __future__ import annotations

import pytest

from envctl.backends import open_backend
from envctl.backends.base import Capabilities, Context
from envctl.plan.scope import Scope

BACKENDS = [
    "memory",
    pytest.param("docker", marks=pytest.mark.engine),
    pytest.param("vagrant", marks=[pytest.mark.engine, pytest.mark.machines]),
]


@pytest.fixture(params=BACKENDS)
def backend(request):
    """The name of the backend under test; its engine answers."""
    if request.param == "docker":
        request.getfixturevalue("engine")
    if request.param == "vagrant":
        request.getfixturevalue("machines")
    return request.param


@pytest.fixture
def project(backend, make_project):
    return make_project(backend=backend)


@pytest.fixture
def verb(backend):
    """What is done to a unit whose run differs in a field."""
    in_place = capabilities(backend).reconfigure
    return lambda field: "reconfigure" if field in in_place else "replace"


def capabilities(name: str) -> Capabilities:
    return open_backend(name, Context(Scope("contract", "0", "dev", "/"))).capabilities


def pytest_collection_modifyitems(items):
    """Tests that need processes are not collected for a backend that runs none."""
    items[:] = [item for item in items if not _asks_too_much(item)]


def _asks_too_much(item) -> bool:
    name = getattr(item, "callspec", None) and item.callspec.params.get("backend")
    return bool(name and item.get_closest_marker("executes") and not capabilities(name).executes)
