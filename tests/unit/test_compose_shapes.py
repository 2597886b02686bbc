"""Applications described for envctl and for Compose: the page that compares the lines of both counts right."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml

from envctl.project import Project
from tests.support.applications import APPLICATIONS, write_application
from tests.support.project import TREE
from tests.unit.cli.conftest import Run, envctl

__all__ = ["envctl"]

SHAPES = TREE / "tests" / "fixtures" / "compose_shapes"
NAMES = sorted(folder.name for folder in SHAPES.iterdir())
PAGE = TREE / "docs" / "how-to" / "coming-from-compose.md"
ROW = re.compile(r"^\| ([a-z-]+) \| (\d+) \| (\d+) \|$", re.MULTILINE)


def lines(files: Iterable[Path]) -> int:
    """The lines of files that are neither empty nor comments."""
    texts = (line.strip() for file in files for line in file.read_text().splitlines())
    return sum(1 for text in texts if text and not text.startswith("#"))


def write_spec(name: str, folder: Path, envctl: Run) -> list[Path]:
    """Write an application and its spec; the files of the spec."""
    if name in APPLICATIONS:
        write_application(name, folder)
        ended = envctl("-C", str(folder), "init", "--yes", "--name", "app")
        assert ended.code == 0, ended.err
        return [folder / "envctl.yaml"]
    for part in ("environments", "examples"):
        shutil.copytree(TREE / part, folder / part)
    shutil.copy(TREE / "envctl.yaml", folder)
    return [folder / "envctl.yaml", *(folder / "environments").iterdir()]


def test_the_page_has_the_lines_of_both(envctl: Run, tmp_path: Path) -> None:
    counted = {
        name: (
            lines(write_spec(name, tmp_path / name, envctl)),
            lines(file for file in (SHAPES / name).iterdir()),
        )
        for name in NAMES
    }

    assert {name: (int(a), int(b)) for name, a, b in ROW.findall(PAGE.read_text())} == counted


def compose(folder: Path, overlay: Path, *words: str) -> str:
    """Run Compose on the base file and an overlay; it has to succeed without a warning. Its output."""
    files = ("-f", "compose.yaml", "-f", overlay.name)
    argv = ("docker-compose", *files, "config", *words)
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_compose_accepts_its_files_and_they_have_the_services_of_the_spec(
    envctl: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    project = tmp_path / "project"
    write_spec(name, project, envctl)
    shutil.copytree(SHAPES / name, project, dirs_exist_ok=True)

    for overlay in sorted(project.glob("compose.*.yaml")):
        environment = overlay.name.split(".")[1].replace("override", "dev")
        resolved = Project(project, environ={}).resolved(environment)
        assert {*compose(project, overlay, "--services").split()} == {*resolved.data["services"]}
        web = yaml.safe_load(compose(project, overlay))["services"]["web"]
        assert web["healthcheck"]["test"]
        assert ("bind" in str(web.get("volumes"))) == (environment == "dev")
        assert {port["host_ip"] for port in web["ports"]} == {"127.0.0.1"}
