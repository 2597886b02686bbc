"""What environments and services can be called."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from envctl.definition.keys.scalars import NAME_PATTERN as NAME
from envctl.definition.keys.scalars import STORED_PATTERN as STORED
from envctl.definition.names import how_to_have, is_name, no_environments, with_files

GOOD = ("a", "a1", "dev-2", "a--b", "x" * 40)
BAD = ("", "A", "1a", "-a", "dev-", "a_b", "dev\n", "x" * 41, "é")


@pytest.mark.parametrize("name", GOOD)
def test_a_name_may_be(name):
    assert is_name(name)
    assert re.fullmatch(NAME, name)
    assert re.fullmatch(STORED, name)


@pytest.mark.parametrize("name", BAD)
def test_a_name_may_not_be(name):
    assert not is_name(name)
    assert not re.fullmatch(NAME, name)


@pytest.mark.parametrize("name", ["data-", "data_", "_data", "Data"])
def test_what_would_have_the_name_of_another_on_an_engine_cannot_be_stored(name):
    assert not re.fullmatch(STORED, name)
    assert re.fullmatch(STORED, "da_ta-1")


def test_an_overlay_that_has_just_been_written_is_seen(tmp_path: Path) -> None:
    (tmp_path / "environments").mkdir()
    for number in range(50):
        (tmp_path / "environments" / f"e{number}.yaml").write_text("")
        assert len(with_files(tmp_path)) == number + 1


def test_a_folder_that_has_not_changed_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "environments"
    folder.mkdir()
    (folder / "dev.yaml").write_text("")
    os.utime(folder, (1, 1))
    assert with_files(tmp_path) == ("dev",)
    monkeypatch.setattr(os, "scandir", None)
    assert with_files(tmp_path) == ("dev",)
    os.utime(folder, (2, 2))
    with pytest.raises(TypeError):
        with_files(tmp_path)


@pytest.mark.parametrize("name", ["DEV.yaml", "Dev.yaml", "dev.yml", "dev.YAML"])
def test_a_file_that_would_be_an_overlay_is_named_with_its_right_name(tmp_path, name):
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments" / name).write_text("")
    remedy = f"environments/{name} is no environment's file: rename it to environments/dev.yaml"
    assert how_to_have(tmp_path, "dev") == remedy
    assert no_environments(tmp_path).hint == remedy
    assert how_to_have(tmp_path, "prod") == "write environments/prod.yaml; it may be empty"


@pytest.mark.parametrize("name", ["README.md", "a_b.yaml", ".hidden.yaml"])
def test_what_is_no_overlay_by_any_spelling_is_not_named(tmp_path, name):
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments" / name).write_text("")
    assert no_environments(tmp_path).hint.startswith("write environments/dev.yaml")
