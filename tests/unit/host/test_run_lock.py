"""One run at a time."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from envctl.errors import EnvctlError
from envctl.host.run_lock import exclusive, is_held
from envctl.progress import no_progress

pytestmark = pytest.mark.slow

HOLD = """
import sys, time
from pathlib import Path
from envctl.host.run_lock import exclusive
from envctl.progress import no_progress
with exclusive(Path(sys.argv[1]), "dev@docker", no_progress):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    )
    with process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_a_second_run_says_who_holds_it_and_gives_up_after_its_patience(tmp_path, holder):
    said = []

    with (
        pytest.raises(EnvctlError, match=f"pid {holder.pid}"),
        exclusive(tmp_path, "dev@docker", said.append, patience=0.2),
    ):
        pass

    assert f"pid {holder.pid}" in said[0].text


def test_another_environment_is_not_held_up(tmp_path, holder):
    with exclusive(tmp_path, "test@docker", no_progress, patience=0):
        assert holder.poll() is None


def test_a_killed_run_holds_nothing(tmp_path, holder):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()

    with exclusive(tmp_path, "dev@docker", no_progress, patience=5):
        text = (tmp_path / "dev@docker.lock").read_text()

    assert text == f"{os.getpid()}\n"
    assert (tmp_path / "dev@docker.lock").read_text() == ""


def test_a_link_in_the_place_of_the_lock_is_refused_and_what_it_leads_to_is_left_alone(tmp_path):
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "dev@docker.lock").symlink_to("victim")

    with (
        pytest.raises(EnvctlError, match=r"dev@docker\.lock is a link"),
        exclusive(tmp_path, "dev@docker", no_progress),
    ):
        pass

    assert (tmp_path / "victim").read_text() == "precious"


@pytest.mark.parametrize("text", ["-1 1\n", "; rm -rf ~", "\x1b[2J", ""])
def test_a_lock_that_holds_no_pid_is_not_quoted(tmp_path, holder, text):
    (tmp_path / "dev@docker.lock").write_text(text)
    said = []

    with (
        pytest.raises(EnvctlError) as caught,
        exclusive(tmp_path, "dev@docker", said.append, patience=0),
    ):
        pass

    assert caught.value.brief == "another envctl has been running for dev@docker for more than 0 s"
    assert caught.value.hint == "wait for it and try again"
    assert said[0].text == "another envctl is running for it; waiting"


def test_where_no_file_can_be_made_there_is_one_lock_in_memory_for_all(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    # No folder can be made in there, not by root either.
    nowhere = Path("/sys/kernel/envctl/locks")

    with exclusive(nowhere, "dev@docker", no_progress):
        (lock,) = tmp_path.glob("envctl-*/*.lock")
        assert lock.read_text() == f"{os.getpid()}\n"
        with (
            pytest.raises(EnvctlError, match=f"pid {os.getpid()}"),
            exclusive(nowhere, "dev@docker", no_progress, patience=0),
        ):
            pass
        with exclusive(nowhere, "test@docker", no_progress, patience=0):
            pass


def test_a_lock_in_memory_is_not_taken_from_a_folder_that_another_may_change(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / f"envctl-{os.geteuid()}").symlink_to("elsewhere")

    with exclusive(Path("/sys/kernel/envctl/locks"), "dev@docker", no_progress):
        assert list((tmp_path / "elsewhere").iterdir()) == []


def test_whether_a_lock_is_held_is_reported_without_touching_it(tmp_path):
    assert not is_held(tmp_path, "dev")
    with exclusive(tmp_path, "dev", no_progress):
        assert is_held(tmp_path, "dev")
    assert not is_held(tmp_path, "dev")
    # Of a run that was killed the number stays.
    (tmp_path / "dev.lock").write_text("4194305\n")
    assert not is_held(tmp_path, "dev")
    (tmp_path / "dev.lock").write_text("1\n")
    assert is_held(tmp_path, "dev")


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_disk_without_locks_is_reported_with_the_remedy(tmp_path, monkeypatch, number):
    def refused(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("envctl.host.file_lock.fcntl.flock", refused)
    with (
        pytest.raises(EnvctlError, match="dev cannot be locked") as caught,
        exclusive(tmp_path, "dev", no_progress),
    ):
        pytest.fail("it was held")
    assert os.strerror(number) in caught.value.brief
    assert "XDG_STATE_HOME" in caught.value.hint
