"""Where the project is, and whose it has to be."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from envctl.definition import find_root
from envctl.errors import EnvctlError

ME, OTHER = 1000, 12345


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "envctl.yaml").touch()
    (tmp_path / "sub").mkdir()
    return tmp_path


def owned(monkeypatch: pytest.MonkeyPatch, file: Path, *, by: int, me: int) -> None:
    """Let the file be somebody's, and this somebody's process."""
    stat = Path.lstat

    def told(self: Path) -> os.stat_result:
        real = stat(self)
        if self != file:
            return real
        return os.stat_result([*real[:4], by, *real[5:]])

    monkeypatch.setattr(Path, "lstat", told)
    monkeypatch.setattr(os, "geteuid", lambda: me)


@pytest.mark.parametrize("start", ["", "sub"])
@pytest.mark.parametrize(("by", "me"), [(ME, ME), (0, ME), (0, 0)])
def test_a_project_of_this_users_or_roots_is_found(
    project: Path, monkeypatch: pytest.MonkeyPatch, start: str, by: int, me: int
) -> None:
    owned(monkeypatch, project / "envctl.yaml", by=by, me=me)
    assert find_root(project / start) == project


@pytest.mark.parametrize(("start", "me"), [("", ME), ("sub", ME), ("sub", 0)])
def test_a_project_of_another_user_is_refused(
    project: Path, monkeypatch: pytest.MonkeyPatch, start: str, me: int
) -> None:
    owned(monkeypatch, project / "envctl.yaml", by=OTHER, me=me)
    with pytest.raises(EnvctlError, match=r"envctl\.yaml belongs to another user") as caught:
        find_root(project / start)
    assert "on your own copy" in caught.value.hint


def test_root_may_ask_for_the_project_of_another_user(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owned(monkeypatch, project / "envctl.yaml", by=OTHER, me=0)
    assert find_root(project) == project
