"""Vagrant's list of machines: ours are taken out, all else stays."""

from __future__ import annotations

import json

import pytest

from envctl.backends.vagrant import vagrant_cli


@pytest.fixture
def listed(tmp_path, monkeypatch):
    monkeypatch.setenv("VAGRANT_HOME", str(tmp_path))
    file = tmp_path / "data" / "machine-index" / "index"
    file.parent.mkdir(parents=True)
    return file


def test_the_machines_of_a_folder_are_taken_out_and_no_others(listed, tmp_path):
    machines = {
        "a": {"vagrantfile_path": str(tmp_path / "web"), "name": "web"},
        "b": {"vagrantfile_path": str(tmp_path / "web-2"), "name": "web-2"},
    }
    listed.write_text(json.dumps({"version": 1, "machines": machines}))

    vagrant_cli.forget(tmp_path / "web")

    assert json.loads(listed.read_text()) == {"version": 1, "machines": {"b": machines["b"]}}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 2, "machines": {"a": {"vagrantfile_path": "/x"}}}', '{"version": 1, "machines": {"a": 1}}'])  # fmt: skip
def test_a_list_of_another_format_is_left_alone(listed, text, tmp_path):
    listed.write_text(text)
    vagrant_cli.forget(tmp_path.__class__("/x"))
    assert listed.read_text() == text


def test_no_list_is_nothing_to_do(listed, tmp_path):
    vagrant_cli.forget(tmp_path)
    assert not listed.exists()
