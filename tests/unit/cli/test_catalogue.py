"""catalogue: which entries there are, what is in one, and a copy of one in the project."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.conftest import Run


def test_entries_are_listed_with_what_they_are(envctl: Run, shop: Path) -> None:
    done = envctl("catalogue", "list")
    assert "postgresql  PostgreSQL, a relational database." in done.out
    rows = {row["name"]: row for row in envctl("catalogue", "list", "--json").json}
    assert rows["postgresql"]["parameters"]["password"]["required"] is True
    assert rows["postgresql"]["file"] == "<envctl>/catalogue/postgresql.yaml"


def test_entries_are_shown_where_there_is_no_project(
    envctl: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    done = envctl("catalogue", "show", "redis")
    assert (done.code, done.out.splitlines()[0].split()) == (
        0,
        ["PARAMETER", "DEFAULT", "DESCRIPTION"],
    )
    assert "# <envctl>/catalogue/redis.yaml\ndescription: Redis" in done.out


def test_an_entry_that_does_not_exist_is_an_error_with_the_nearest(envctl: Run, shop: Path) -> None:
    done = envctl("catalogue", "show", "postgres")
    assert (done.code, "did you mean 'postgresql'?" in done.err) == (2, True)


def test_an_ejected_entry_is_the_projects_once_its_folder_is_named(envctl: Run, shop: Path) -> None:
    done = envctl("catalogue", "eject", "redis")
    assert (done.code, done.out) == (0, "wrote catalogue/redis.yaml\n")
    assert "add `catalogues: [catalogue]` to envctl.yaml" in done.err

    again = envctl("catalogue", "eject", "redis")
    assert (again.code, "already exists; nothing was written" in again.err) == (1, True)

    spec = shop / "envctl.yaml"
    spec.write_text("catalogues: [catalogue]\n" + spec.read_text())
    rows = {row["name"]: row["file"] for row in envctl("catalogue", "list", "--json").json}
    assert rows["redis"] == "catalogue/redis.yaml"
    assert "To use it" not in envctl("catalogue", "eject", "nginx").err


def test_an_entry_is_never_written_outside_the_project(envctl: Run, shop: Path) -> None:
    (shop / "up").symlink_to("..")
    for folder in ("../x", "/tmp", "up", "up/x"):
        assert envctl("catalogue", "eject", "redis", "--to", folder).code != 0
    assert not (shop.parent / "redis.yaml").exists()
    assert not (shop.parent / "x").exists()
