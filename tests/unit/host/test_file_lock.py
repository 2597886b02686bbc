"""Locks on open files: one holder, who waits and for how long, and what the kernel releases."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from envctl.host.file_lock import lock, locked

HOLD = """
import sys
from pathlib import Path
from envctl.host.file_lock import locked
with locked(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "lock").touch()
    return tmp_path / "lock"


def test_a_second_holder_is_refused_after_its_patience_and_hears_once_that_it_waits(file):
    waits = []
    with locked(file):
        descriptor = os.open(file, os.O_RDONLY)
        try:
            with pytest.raises(BlockingIOError):
                lock(descriptor, patience=0.2, on_wait=lambda: waits.append(1))
        finally:
            os.close(descriptor)

    assert waits == [1]


def test_who_waits_gets_the_lock_when_it_is_released(file):
    order, waiting = [], threading.Event()

    def second() -> None:
        descriptor = os.open(file, os.O_RDONLY)
        lock(descriptor, patience=30, on_wait=waiting.set)
        order.append("second")
        os.close(descriptor)

    thread = threading.Thread(target=second)
    with locked(file):
        thread.start()
        assert waiting.wait(30)
        order.append("first")
    thread.join(30)

    assert order == ["first", "second"]


def test_a_killed_process_holds_nothing(file):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"locked\n"
        with pytest.raises(BlockingIOError), locked(file, patience=0):
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
        with locked(file, patience=5):
            pass


def test_a_folder_can_be_locked_and_an_error_in_the_block_releases_it(tmp_path):
    with pytest.raises(ValueError, match="stop"), locked(tmp_path):
        raise ValueError("stop")

    with locked(tmp_path, patience=0):
        pass
