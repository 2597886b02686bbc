"""`vars_file`: variables of a spec that come from files."""

from __future__ import annotations

from pathlib import Path

import pytest

from envctl import definition
from tests.unit.definition.helpers import HEAD, load, problems, write

SPEC = HEAD + (
    "vars_file: .env\n"
    "vars: {level: info}\n"
    "services: {web: {command: [serve, '${port}', '${level}', '${text}']}}\n"
)


def command(root: Path, *, file: str = "PORT=1\ntext='$x ${y}'\n", dev: str = "") -> list[str]:
    (root / ".env").write_text(file)
    argv = load(root, SPEC, dev=dev).data["services"]["web"]["command"]
    assert argv is not None
    return argv[1:]


def test_a_line_sets_the_variable_of_that_name_in_lower_case(tmp_path: Path) -> None:
    # What looks like a variable in single quotes is text.
    assert command(tmp_path) == ["1", "info", "$x ${y}"]


def test_vars_win_over_files_and_an_overlay_over_both(tmp_path: Path) -> None:
    file = "PORT=1\nLEVEL=file\nTEXT=$PORT\n"
    assert command(tmp_path, file=file) == ["1", "info", "1"]
    (tmp_path / ".env.dev").write_text("LEVEL=debug\nPORT=2\n")
    assert command(tmp_path, file=file, dev="vars_file: [.env.dev]\n") == ["2", "debug", "1"]
    overlay = "vars_file: [.env.dev, {path: .none, required: false}]\nvars: {port: 3}\n"
    assert command(tmp_path, file=file, dev=overlay) == ["3", "debug", "1"]


def test_each_value_remembers_its_line(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PORT=1\nTEXT=t\nLEVEL=file\n")
    resolved = load(tmp_path, SPEC)
    assert str(resolved.where("vars", "text")) == ".env:2:6"
    origin = resolved.origins["vars", "level"]
    assert str(origin.where).startswith("envctl.yaml:4:")
    assert [f"{text} at {place}" for place, text in origin.replaced] == ["file at .env:3:7"]


def test_the_cache_depends_on_the_files(tmp_path: Path) -> None:
    write(tmp_path, SPEC.replace(", '${text}'", ""))

    def port() -> str:
        return definition.load(tmp_path, "dev", environ={}).data["vars"]["port"]

    for value in ("1", "1", "2"):
        (tmp_path / ".env").write_text(f"PORT={value}\n")
        assert port() == value


@pytest.mark.parametrize(
    ("file", "place", "message"),
    [
        ("PORT=1\nport=2\n", ".env:2:1", "vars_file: PORT and port are one variable, port"),
        ("A-B=1\n", ".env:1:1", "A-B"),
        ("PORT=$NOTHING\n", ".env:1:6", "NOTHING"),
        (None, "envctl.yaml:3:12", "vars_file: '.env' does not exist"),
    ],
)
def test_mistakes_have_their_place(
    tmp_path: Path, file: str | None, place: str, message: str
) -> None:
    if file is not None:
        (tmp_path / ".env").write_text(file)
    found = problems(tmp_path, SPEC)
    assert any(str(one.where) == place and message in one.message for one in found)


def test_a_key_without_files_is_a_mistake(tmp_path: Path) -> None:
    found = problems(tmp_path, SPEC.replace("vars_file: .env", "vars_file:"))
    assert "vars_file has no value" in found[0].message
