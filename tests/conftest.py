"""What tests share: the engine, and projects that leave nothing behind."""

from __future__ import annotations

import gc
import os
import re
import shutil
import signal
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import pytest

from envctl.errors import EnvctlError
from envctl.plan.target import Target
from tests.support.machines import remove_boxes
from tests.support.project import Project

# Where no bytecode is kept, each command of the hundreds that tests run would compile all that it imports.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# A suite that is started in the background ignores interrupts, and under nohup a closed terminal; the runs that tests
# signal would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
# The field's tools (docker-compose, hadolint) come from this environment's packages.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
# Private state is kept outside of projects: the user's own is no test's.
_STATE = tempfile.TemporaryDirectory(prefix="envctl-test-state-")
os.environ["XDG_STATE_HOME"] = _STATE.name
# What tests' own projects reach of this host is allowed; tests of asking take this out. CI=true allows it, too, and
# would make a test that passes at a desk fail in CI.
os.environ["ENVCTL_TRUSTED"] = "*"
os.environ.pop("CI", None)
_Kind = TypeVar("_Kind", bound=Project)
ARTIFACTS = Path(__file__).parents[1] / ".artifacts"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    outcome = yield
    report = outcome.get_result()
    if report.when == "call":
        item.failed = report.failed


_TOGETHER = re.compile(r"\[((?:(?:stage|pair)-)+[a-z]+)|^(.*test_fresh_machine\.py)")
"""What names of tests tell of what they share: a stage or a pair on a backend, or a file's machine."""


def together(name: str) -> str:
    """What a test shares with others; the name itself if nothing."""
    found = _TOGETHER.search(name)
    return found[1] or found[2] if found else name


def pytest_xdist_make_scheduler(config, log):
    """Tests that share what is up run in one process; xdist's own groups do not work with pytest 9.

    Source: https://github.com/pytest-dev/pytest-xdist/blob/v3.8.0/src/xdist/remote.py, `_nodeid`.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Together(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return together(nodeid)

    return Together(config, log) if config.getvalue("dist") == "loadscope" else None


def pytest_collection_modifyitems(config, items):
    """What runs in one process, a test after the other, begins first: the rest fits beside it."""
    if os.geteuid() != 0:
        left = [item for item in items if item.get_closest_marker("as_root")]
        items[:] = [item for item in items if item not in left]
        config.hook.pytest_deselected(items=left)
    items.sort(key=lambda item: together(item.nodeid) == item.nodeid)


def pytest_configure():
    """Thousands of collected tests stay until the end: the garbage collector need not look at them again and again."""
    gc.disable()


def pytest_collection_finish():
    gc.freeze()
    gc.enable()


def pytest_terminal_summary(terminalreporter, config):
    """Beside the JUnit report goes a list of where the time went."""
    if report := config.getoption("xmlpath", None):
        took = defaultdict(float)
        for one in (one for many in terminalreporter.stats.values() for one in many):
            if isinstance(one, pytest.TestReport):
                took[one.nodeid] += one.duration
        files = defaultdict(float)
        for name, seconds in took.items():
            files[name.partition("::")[0]] += seconds
        lines = [
            f"{seconds:8.1f}  {name}\n"
            for part in (files, took)
            for name, seconds in sorted(part.items(), key=lambda one: -one[1])
        ]
        Path(report).with_suffix(".durations.txt").write_text("".join(lines), "utf-8")


@pytest.fixture(scope="session")
def engine():
    """A Docker engine that answers, with the base image at hand. Missing is a failure, not a skip."""
    from envctl.backends.base import Context
    from envctl.backends.docker import DockerBackend
    from envctl.bases import ensure
    from envctl.plan.model import Base
    from envctl.plan.scope import Scope
    from envctl.progress import no_progress
    from tests.support.docker_client import docker_client

    backend = DockerBackend(Context(Scope("tests", "0", "base", "/")))
    try:
        backend.check()
    except EnvctlError as error:
        pytest.fail(f"the tests need a Docker engine: {error}", pytrace=False)
    ensure(Base("debian:bookworm", "debian:bookworm"), backend.images, no_progress)
    backend.close()
    client = docker_client()
    yield client
    client.close()


@pytest.fixture(scope="session")
def machines(engine):
    """libvirt and Vagrant, that work. Missing is a failure, not a skip."""
    from envctl.backends.base import Context
    from envctl.backends.vagrant import VagrantBackend
    from envctl.plan.scope import Scope

    backend = VagrantBackend(Context(Scope("tests", "0", "base", "/")))
    try:
        backend.check()
        backend.observe()
    except EnvctlError as error:
        pytest.fail(f"the tests need virtual machines: {error}", pytrace=False)


@pytest.fixture
def make_project(tmp_path, request) -> Iterator[object]:
    """Make projects; afterwards each is taken down with its data, images included."""
    made: list[Project] = []

    def make(folder: str = "project", **options) -> Project:
        root = tmp_path / folder
        root.mkdir(exist_ok=True)
        project = Project(root, **options)
        if project.backend == "docker":
            # Now, since fixtures cannot be asked for when all is over.
            request.getfixturevalue("engine")
        made.append(project)
        return project

    yield make
    for project in made:
        if getattr(request.node, "failed", False):
            _keep(project, request.node.name)
        _remove(project)


class SharedProjects:
    """Projects that stay up from test to test, one of a kind and backend; each is made when it is first asked for."""

    def __init__(self, folders: pytest.TempPathFactory) -> None:
        self._folders = folders
        self._made: dict[tuple[type[Project], str], Project] = {}

    @contextmanager
    def lend(self, kind: type[_Kind], backend: str, node: pytest.Item) -> Iterator[_Kind]:
        """One for a test; a test that has failed leaves it to nobody else."""
        project = self._made.setdefault((kind, backend), kind(self._folders.mktemp("up"), backend))
        assert isinstance(project, kind)
        project.environ = dict(os.environ)
        project.events.clear()
        yield project
        if getattr(node, "failed", False):
            _keep(project, node.name)
            _remove(self._made.pop((kind, backend)))

    def end(self) -> None:
        """Take all down, with their data, images and boxes."""
        while self._made:
            _remove(self._made.popitem()[1])


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """The projects that stay up in this run; after it they are gone."""
    projects = SharedProjects(tmp_path_factory)
    yield projects
    projects.end()


def _remove(project: Project) -> None:
    """Take a project down with its data, and remove its images and boxes."""
    with suppress(EnvctlError):
        for name in project.workspace().environments():
            project.workspace().down(Target(name, project.backend), volumes=True)
    if project.backend == "docker":
        remove_images(project.name)
    if project.backend == "vagrant":
        remove_boxes(project)


def _keep(project: Project, name: str) -> None:
    """Keep the project's folder and logs of a failed test."""
    safe = "".join(char if char.isalnum() else "-" for char in name)[:80]
    target = ARTIFACTS / safe
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(
        project.root,
        target,
        symlinks=True,
        ignore=shutil.ignore_patterns("secrets"),
        dirs_exist_ok=True,
    )
    (target / "status.txt").write_text(project.cli("status", "dev").stdout)
    (target / "logs.txt").write_text(project.cli("logs", "dev").stdout)


def remove_images(name: str) -> None:
    """Remove the images of a project."""
    from docker.errors import APIError

    from tests.support.docker_client import docker_client

    client = docker_client()
    for image in client.api.images(filters={"label": f"dev.envctl.project={name}"}):
        with suppress(APIError):
            client.api.remove_image(image["Id"], force=True)
    client.close()
