"""What tests share: the engine, and projects that leave nothing behind."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from envctl.errors import EnvctlError
from tests.support.machines import remove_boxes
from tests.support.project import Project

# The field's tools (docker-compose, hadolint) come from this environment's packages.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
ARTIFACTS = Path(__file__).parents[1] / ".artifacts"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    outcome = yield
    report = outcome.get_result()
    if report.when == "call":
        item.failed = report.failed


@pytest.fixture(scope="session")
def engine():
    """A Docker engine that answers, with the base image at hand. Missing is a failure, not a skip."""
    import docker

    from envctl.backends.base import Context
    from envctl.backends.docker import DockerBackend
    from envctl.bases import ensure
    from envctl.plan.model import Base
    from envctl.plan.progress import silent
    from envctl.plan.scope import Scope

    backend = DockerBackend(Context(Scope("tests", "0", "base", "/")))
    try:
        backend.check()
    except EnvctlError as error:
        pytest.fail(f"the tests need a Docker engine: {error}", pytrace=False)
    ensure(Base("debian:bookworm", "debian:bookworm"), backend.images, silent)
    backend.close()
    client = docker.from_env(timeout=300)
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
    failed = getattr(request.node, "failed", False)
    for project in made:
        if failed:
            _keep(project, request.node.name)
        with suppress(EnvctlError):
            for name in project.workspace().environments():
                project.cli("down", f"{name}@{project.backend}", "--volumes")
        if project.backend == "docker":
            _remove_images(request.getfixturevalue("engine"), project.name)
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


def _remove_images(client, name: str) -> None:
    from docker.errors import APIError

    for image in client.api.images(filters={"label": f"dev.envctl.project={name}"}):
        with suppress(APIError):
            client.api.remove_image(image["Id"], force=True)
