"""The starter: valid, commented, and in nobody's way."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.conftest import Run

FILES = {
    "envctl.yaml",
    "environments/dev.yaml",
    "environments/test.yaml",
    "environments/prod.yaml",
    "app/server.py",
}


def files(folder: Path) -> set[str]:
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix() for path in found if ".envctl" not in path.parts}


def test_the_starter_is_valid_in_every_environment(
    envctl: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = envctl("init", "My Shop")
    assert ended.code == 0
    assert "envctl up dev" in ended.err
    assert files(tmp_path / "My Shop") == FILES
    monkeypatch.chdir("My Shop")
    assert envctl("validate").out == "valid: dev, prod, test\n"
    assert envctl("config", "dev", "--json").json["project"] == "my-shop"


def test_a_folder_with_other_files_is_fine(
    envctl: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("README").write_text("mine")
    Path(".gitignore").write_text("*.log")
    ended = envctl("init", "--name", "mine")
    assert ended.code == 0
    assert "no application was recognized" in ended.err
    assert Path(".gitignore").read_text() == "*.log"
    assert Path("README").read_text() == "mine"


def test_an_app_that_exists_is_kept(
    envctl: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("app").mkdir()
    Path("app/server.py").write_text("mine")
    ended = envctl("init")
    assert ended.code == 0
    assert "left app/server.py alone: it already exists" in ended.out
    assert Path("app/server.py").read_text() == "mine"
    assert files(tmp_path) == FILES


def test_a_project_is_told_that_it_is_one_and_is_left_alone(
    envctl: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("envctl.yaml").write_text("mine")
    Path("app").mkdir()
    Path("app/server.py").write_text("mine")
    ended = envctl("init")
    assert ended.code == 1
    assert "envctl.yaml already exists; nothing was written" in ended.err
    assert files(tmp_path) == {"envctl.yaml", "app/server.py"}


def test_nothing_is_overwritten_and_nothing_written_beside_it(
    envctl: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("environments").mkdir()
    Path("environments/dev.yaml").write_text("mine")
    ended = envctl("init")
    assert ended.code == 1
    assert "environments/dev.yaml already exists" in ended.err
    assert files(tmp_path) == {"environments/dev.yaml"}


def test_an_impossible_name_is_refused(
    envctl: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert envctl("init", "--name", "Not So").code == 2
    assert files(tmp_path) == set()
