"""The contract suite runs on every backend; a test asks for capabilities, never for a name."""

from __future__ import annotations

import pytest

from envctl.backends import open_backend
from envctl.backends.base import Capabilities, Context
from envctl.plan.scope import Scope
from tests.support.project import Project
from tests.support.stage import Stage

BACKENDS = [
    ("memory", []),
    ("docker", [pytest.mark.engine]),
    ("vagrant", [pytest.mark.engine, pytest.mark.machines]),
]


class Pair(Project):
    """See the fixture `pair`."""


@pytest.fixture
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
def stage(backend, shared, request):
    """A project that stays up from test to test: the one to use, unless a machine of the test's own is needed.

    It is used as `project` is: `stage.spec("web: {command: [sleep, infinity]}").up()`, then `stage.run("web", …)`. But

    - every service has tests.support.stage.COMMON: one build with python3 and procps, the user `web`, a volume at /data
      and the folder live/ mounted at /srv/live. `command`, `env`, `secrets`, `ports`, `healthcheck`, `hooks`, `restart`,
      `kind`, `depends_on` and `replicas` are a test's own. Whoever changes `packages`, `build`, `user`, `workdir`,
      `volumes`, `mounts` or `resources` pays for a box and a boot, twice, and wants `project`.
    - on machines all units, four at most, live in one (`layout: single`), booted once a run; a unit costs seconds.
      What the machine itself is called, or how it is made and removed, is for `pair` or `project`.
    - what earlier tests did is still there. `stage.clear()` removes their units, but not what they have logged or put
      into volumes: name units and files after the test where that matters.
    - a unit `stage` is always there, also among what `down` removes; `states()` and `ids()` do not tell of it.
    - after a test that failed the next one gets a new stage.

    All tests that use it on machines run in one process, one after the other; those that take it down are in
    test_undone.py, the last of them.
    """
    with shared.lend(Stage, backend, request.node) as project:
        yield project


@pytest.fixture
def pair(backend, shared, request):
    """A project of two units, each a machine of its own, which stay up from test to test: see test_lifecycle.py."""
    with shared.lend(Pair, backend, request.node) as project:
        yield project


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


def pytest_generate_tests(metafunc):
    """Each test runs on every backend. Its name tells what it shares with others, which keeps them in one process."""
    if "backend" in metafunc.fixturenames:
        shared = {"stage", "pair"}.intersection(metafunc.fixturenames)
        names = [f"{'-'.join([*sorted(shared), backend])}" for backend, _ in BACKENDS]
        params = [pytest.param(backend, marks=marks) for backend, marks in BACKENDS]
        metafunc.parametrize("backend", params, ids=names, indirect=True)


def _asks_too_much(item) -> bool:
    name = getattr(item, "callspec", None) and item.callspec.params.get("backend")
    return bool(name and item.get_closest_marker("executes") and not capabilities(name).executes)
