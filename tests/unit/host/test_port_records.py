"""The ports that a checkout has are recorded outside of it, and other checkouts do not take them."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from envctl.host.port_records import (
    PortRecord,
    choosing,
    other_records,
    read_record,
    write_record,
)
from envctl.host.private_state import private_folder, state_path

RECORD = PortRecord({"web 127.0.0.1:8000/tcp": 20001}, frozenset({8080}), free_ports=True)


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert read_record(tmp_path, "dev@docker") == PortRecord()
    assert not state_path(tmp_path).exists()
    write_record(tmp_path, "dev@docker", RECORD)
    assert read_record(tmp_path, "dev@docker") == RECORD
    assert read_record(tmp_path, "dev@vagrant") == PortRecord()
    assert not list(tmp_path.glob("*.json"))


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"chosen": []}', '{"chosen": {"a": "x"}}']
)
def test_an_odd_record_counts_as_none(tmp_path: Path, text: str) -> None:
    (private_folder(tmp_path, "ports") / "dev@docker.json").write_text(text)
    assert read_record(tmp_path, "dev@docker") == PortRecord()


def test_all_other_targets_of_folders_that_exist_are_listed(tmp_path: Path) -> None:
    here, there, gone = tmp_path / "here", tmp_path / "there", tmp_path / "gone"
    here.mkdir()
    there.mkdir()
    for root, target in ((here, "dev@docker"), (here, "test@docker"), (there, "dev@docker")):
        write_record(root, target, RECORD)
    write_record(gone, "dev@docker", RECORD)
    others = [
        (other.root, other.target, other.record) for other in other_records(here, "dev@docker")
    ]
    assert sorted(others, key=str) == [
        (here, "test@docker", RECORD),
        (there, "dev@docker", RECORD),
    ]


def test_one_checkout_at_a_time_chooses(tmp_path: Path) -> None:
    entered = threading.Event()

    def other() -> None:
        with choosing(tmp_path / "other"):
            entered.set()

    with choosing(tmp_path / "here"):
        thread = threading.Thread(target=other)
        thread.start()
        assert not entered.wait(0.15)
    thread.join(10)
    assert entered.is_set()
