"""`down` where nothing can be written: that is when one wants to free space."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from envctl.host.private_state import private_folder, state_path

pytestmark = pytest.mark.engine

SPEC = """
db: {image: debian:bookworm, command: [sleep, infinity], volumes: {data: /data}, secrets: [key]}
"""
TOP = "secrets: {key: {generate: 24}}\n"


@pytest.fixture(autouse=True)
def state_on_the_same_disk(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "project" / "state"))


def _mount(*argv: str) -> None:
    subprocess.run(["mount", *argv], check=True, capture_output=True)


@contextmanager
def small_disk(folder: Path, monkeypatch) -> Iterator[None]:
    """A disk of a megabyte at the folder, with all that envctl writes for the user."""
    folder.mkdir()
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    _mount("-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder))
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def _fill(folder: Path) -> None:
    with suppress(OSError), (folder / "filler").open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    assert os.statvfs(folder).f_bavail == 0


def _forget(root: Path) -> None:
    """As a full disk has it that was full before the first run: nothing of envctl's is there."""
    for path in state_path(root, "locks").iterdir():
        path.unlink()


@pytest.mark.parametrize("known", [True, False], ids=["with a lock's file", "without"])
def test_down_works_on_a_full_disk(make_project, tmp_path, monkeypatch, known):
    with small_disk(tmp_path / "project", monkeypatch):
        project = make_project().spec(SPEC, top=TOP)
        assert "create db" in project.up()
        if not known:
            _forget(project.root)
        _fill(project.root)

        done = project.cli("down", "dev", "--volumes")

        assert (done.returncode, done.stderr.count("error")) == (0, 0), done.stderr
        assert "- remove db" in done.stdout
        observed = project.workspace().observed(project.target)
        assert (observed.units, observed.volumes, observed.leftovers) == ({}, frozenset(), ())
        (project.root / "filler").unlink()


def test_down_works_in_a_project_that_can_only_be_read(make_project, tmp_path, monkeypatch):
    with small_disk(tmp_path / "project", monkeypatch):
        project = make_project().spec(SPEC, top=TOP)
        project.up()
        _forget(project.root)
        _mount("-o", "remount,ro", str(project.root))

        done = project.cli("down", "dev")

        assert done.returncode == 0, done.stderr
        assert project.states() == {"db": "missing"}
        refused = project.cli("down", "dev", "--volumes")
        assert refused.returncode == 1
        assert "Read-only file system" in refused.stderr
        assert str(state_path(project.root, "secrets", "dev")) in refused.stderr
        observed = project.workspace().observed(project.target)
        assert (observed.volumes, observed.leftovers) == (frozenset(), ())
        _mount("-o", "remount,rw", str(project.root))


def test_up_on_a_full_disk_names_the_file_that_cannot_be_written(
    make_project, tmp_path, monkeypatch
):
    with small_disk(tmp_path / "project", monkeypatch):
        project = make_project().spec(SPEC, top=TOP)
        private_folder(project.root, "secrets", "dev")
        _fill(project.root)

        refused = project.cli("up", "dev")

        assert refused.returncode == 1
        assert "No space left on device" in refused.stderr
        assert str(state_path(project.root, "secrets")) in refused.stderr
        (project.root / "filler").unlink()
