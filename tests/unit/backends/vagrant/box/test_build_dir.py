"""Folders in which disks are made: each run's own, and gone whatever became of the run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from envctl.backends.vagrant.box.build_dir import build_dir

KILLED = """
import sys
from envctl.backends.vagrant.box.build_dir import build_dir
with build_dir() as folder:
    (folder / "disk").write_text("much")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def files(place):
    return [path for path in place.rglob("*") if path.name == "disk"]


def fail_in(folder):
    (folder / "disk").touch()
    raise OSError("full")


def test_a_folder_is_gone_after_the_work_and_after_a_failure(place):
    with build_dir() as folder:
        (folder / "disk").touch()
    assert files(place) == []
    with pytest.raises(OSError, match="full"), build_dir() as folder:
        fail_in(folder)
    assert files(place) == []


def test_what_a_killed_run_left_goes_with_the_next_and_that_of_a_living_one_stays(place):
    with subprocess.Popen(
        [sys.executable, "-c", KILLED], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline()
        with build_dir(), build_dir():
            assert len(files(place)) == 1
        os.kill(other.pid, signal.SIGKILL)
    with build_dir():
        assert files(place) == []
