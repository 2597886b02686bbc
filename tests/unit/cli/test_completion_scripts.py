"""The scripts that `envctl completion` prints, in the shells themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import shells

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("line", "replies"),
    [
        ("envctl sta", ["status"]),
        ("envctl logs dev ", ["web", "db"]),
        ("envctl up dev@do", ["docker"]),
        ("envctl -C . up dev@docker d", ["db"]),
        ("envctl up --set lev", ["level="]),
    ],
)
def test_bash_completes_with_the_script(shop: Path, line: str, replies: list[str]) -> None:
    assert shells.bash(line, shop) == replies


@pytest.mark.parametrize(
    ("line", "replies"),
    [
        ("envctl sta", ["status"]),
        ("envctl logs dev ", ["db", "web"]),
        ("envctl up dev@do", ["dev@docker"]),
        ("envctl -C . up dev@docker d", ["db"]),
        ("envctl up --set lev", ["level="]),
        ("envctl up --free", ["--free-ports"]),
    ],
)
def test_fish_completes_with_the_script(shop: Path, line: str, replies: list[str]) -> None:
    assert shells.fish(line, shop) == replies


@pytest.mark.parametrize(
    ("line", "after"),
    [
        ("envctl sta", "envctl status "),
        ("envctl logs dev w", "envctl logs dev web "),
        ("envctl up dev@do", "envctl up dev@docker "),
        ("envctl -C . up dev@docker d", "envctl -C . up dev@docker db "),
        ("envctl up --free", "envctl up --free-ports "),
    ],
)
def test_zsh_completes_with_the_script(shop: Path, line: str, after: str) -> None:
    assert shells.zsh(line, shop)[0] == after


def test_zsh_offers_what_may_follow(shop: Path) -> None:
    line, shown = shells.zsh("envctl logs dev ", shop)
    assert line == "envctl logs dev "
    assert "db   web" in shown


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_nothing_is_offered_or_said_where_there_is_no_project(tmp_path: Path, shell: str) -> None:
    assert getattr(shells, shell)("envctl up d", tmp_path) == []
