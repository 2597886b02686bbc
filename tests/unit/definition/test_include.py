"""`include`: a spec in several files."""

from __future__ import annotations

from pathlib import Path

import pytest

from envctl import definition
from tests.unit.definition.helpers import HEAD, load, problems, write

DB = """\
vars: {level: info, port: 1}
secrets: {password: {generate: 24}}
services:
  db: {command: [db, '${level}'], secrets: [password], packages: [curl]}
"""
SPEC = (
    HEAD
    + """\
include: [specs/db.yaml, specs/more.yaml]
vars: {level: debug}
services:
  web: {command: [serve, '${port}'], depends_on: [db]}
  db: {packages: !append [vim]}
"""
)


@pytest.fixture
def specs(tmp_path: Path) -> Path:
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "db.yaml").write_text(DB)
    (tmp_path / "specs" / "more.yaml").write_text("x-a: &a {port: 2}\nvars: *a\n")
    return tmp_path


def test_later_files_win_and_the_spec_itself_over_all(specs: Path) -> None:
    services = load(specs, SPEC).data["services"]
    assert services["db"]["command"] == ["db", "debug"]
    assert services["db"]["packages"] == ["curl", "vim"]
    assert services["web"]["command"] == ["serve", "2"]


def test_an_overlay_is_merged_into_the_whole(specs: Path) -> None:
    dev = "services: {db: {packages: !remove [curl]}, web: null}\n"
    services = load(specs, SPEC, dev=dev).data["services"]
    assert list(services) == ["db"]
    assert services["db"]["packages"] == ["vim"]


def test_each_value_remembers_its_file(specs: Path) -> None:
    resolved = load(specs, SPEC)
    assert str(resolved.where("services", "db", "secrets")) == "specs/db.yaml:4:35"
    origin = resolved.origins["vars", "level"]
    assert [str(place) for place, _ in origin.replaced] == ["specs/db.yaml:1:15"]


def test_the_cache_depends_on_the_files(specs: Path) -> None:
    write(specs, SPEC)

    def port() -> str:
        return definition.load(specs, "dev", environ={}).data["vars"]["port"]

    for value in ("2", "2", "3"):
        (specs / "specs" / "more.yaml").write_text(f"vars: {{port: {value}}}\n")
        assert port() == value


@pytest.mark.parametrize(
    ("more", "place", "message"),
    [
        ("project: x\n", "specs/more.yaml:1:1", "project is only allowed in envctl.yaml"),
        ("include: [a.yaml]\n", "specs/more.yaml:1:1", "include is only allowed in envctl.yaml"),
        ("servces: {}\n", "specs/more.yaml:1:1", "the file has no key 'servces'"),
        ("a: [\n", "specs/more.yaml", ""),
        (None, "envctl.yaml:3:26", "include: 'specs/more.yaml' does not exist"),
    ],
)
def test_mistakes_have_their_place(specs: Path, more: str | None, place: str, message: str) -> None:
    file = specs / "specs" / "more.yaml"
    file.unlink()
    if more is not None:
        file.write_text(more)
    found = problems(specs, SPEC)
    assert any(str(one.where).startswith(place) and message in one.message for one in found)


def test_an_overlay_includes_nothing(specs: Path) -> None:
    for dev in ("include: [specs/db.yaml]\n", "include: null\n"):
        found = problems(specs, SPEC, dev=dev)
        assert [one.message for one in found] == ["include is only allowed in envctl.yaml"]


def test_nothing_outside_of_the_project_is_included(specs: Path) -> None:
    found = problems(specs, SPEC.replace("specs/db.yaml", "../db.yaml"))
    assert any("leads outside the project" in one.message for one in found)
