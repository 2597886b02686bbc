"""The backend of docs/writing-a-backend.md, installed as a package from outside is, brings an environment up."""

from __future__ import annotations

import shutil
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.project import Project

DOCS = Path(__file__).parents[3] / "docs"
TOY = DOCS / "toy-backend"
SERVICES = """
web:
  image: host
  command: [sh, -c, 'echo hello from $WHO; exec sleep 600']
  env: {WHO: web}
once: {image: host, kind: task, command: ["true"]}
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project whose backend is the toy, which an installer has put beside other packages."""
    site = tmp_path / "site-packages"
    shutil.copytree(TOY / "envctl_procs", site / "envctl_procs")
    points = tomllib.loads((TOY / "pyproject.toml").read_text())["project"]["entry-points"]
    lines = [f"{name} = {target}" for name, target in points["envctl.backends"].items()]
    metadata = site / "envctl_procs-1.0.dist-info"
    metadata.mkdir()
    (metadata / "entry_points.txt").write_text("\n".join(["[envctl.backends]", *lines]))
    (metadata / "METADATA").write_text("Name: envctl-procs\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(site)
    root = tmp_path / "project"
    root.mkdir()
    project = Project(root, backend="procs")
    yield project.spec(SERVICES)
    project.down()
    sys.modules.pop("envctl_procs", None)


def test_the_page_shows_the_whole_toy():
    page = (DOCS / "writing-a-backend.md").read_text()

    for file in (
        "envctl_procs/__init__.py",
        "envctl_procs/templates/start.sh.j2",
        "pyproject.toml",
    ):
        assert (TOY / file).read_text().strip() in page


@pytest.mark.slow
def test_an_environment_comes_up_changes_and_goes_down(project):
    assert sorted(project.up()) == ["create once", "create web"]
    assert project.states() == {"web": "running", "once": "completed"}
    assert project.up() == []

    project.spec(SERVICES.replace("WHO: web", "WHO: me"))

    assert project.up() == ["replace web"]
    assert sorted(project.down()) == ["dismantle", "remove once", "remove web"]
    assert project.states() == {"web": "missing", "once": "missing"}


@pytest.mark.slow
def test_commands_run_in_it_and_its_lines_are_read(project):
    project.up()

    assert project.run("web", "sh", "-c", "echo seen; exit 3") == (3, "seen\n", "")
    lines = project.workspace().logs(project.target, ["web"])
    assert [line.text for line in lines] == ["hello from web"]


def test_its_templates_come_with_it(project, tmp_path):
    files = project.workspace().render(project.target)

    assert files["start.sh"].startswith(b"#!/bin/sh\n")
    assert b"hello from" in files["start.sh"]


def test_a_project_s_own_template_comes_before_the_package_s(project):
    project.write("templates/procs/start.sh.j2", "of the project\n")

    assert project.workspace().render(project.target)["start.sh"] == b"of the project\n"


def test_what_it_cannot_do_is_refused_at_its_place(project):
    project.spec("web: {image: host, command: [sleep, '9'], volumes: {data: /data}}")

    ended = project.cli("plan", "dev", environ={"PYTHONPATH": ":".join(sys.path)})

    assert "envctl.yaml:4:3: the procs backend runs commands of this host only" in ended.stderr
