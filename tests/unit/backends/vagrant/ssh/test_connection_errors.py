"""Machines that let nobody in: what is for good ends at once, and nothing is waited for twice."""

from __future__ import annotations

import os
import time

import pytest

from envctl.backends.vagrant.ssh import connection_errors
from envctl.backends.vagrant.ssh.ssh_machine import SshMachine
from envctl.errors import EnvctlError

pytestmark = pytest.mark.slow

CHANGED = """\
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
Host key verification failed.
"""
REFUSED = "root@192.0.2.1: Permission denied (publickey)."
SILENT = "ssh: connect to host 192.0.2.1 port 22: No route to host"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine, and what ssh says of it: with each attempt a line is noted."""

    def says(text):
        program = tmp_path / "bin" / "ssh"
        program.parent.mkdir()
        (tmp_path / "said").write_text(text)
        program.write_text(
            f"#!/bin/sh\necho . >>{tmp_path}/tried\ncat {tmp_path}/said >&2\nexit 255\n"
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
        made = SshMachine("web", tmp_path / "key", tmp_path / "known", "192.0.2.1")
        return made, lambda: (tmp_path / "tried").read_text().count(".")

    yield says
    connection_errors._failed.clear()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (CHANGED, "web: the host key at 192.0.2.1 is not the one of its machine"),
        (REFUSED, "web: its machine at 192.0.2.1 refuses envctl's key"),
        ('Load key "/k": invalid format', "cannot use its machine's key"),
        ("@ WARNING: UNPROTECTED PRIVATE KEY FILE! @", "cannot use its machine's key"),
        (
            "ssh: Could not resolve hostname nowhere.invalid",
            "its machine has no known address",
        ),
    ],
)
def test_what_will_be_the_same_the_next_time_is_not_tried_again(machine, said, told):
    one, tried = machine(said)
    before = time.monotonic()

    with pytest.raises(EnvctlError) as caught:
        one.connect()

    assert told in caught.value.brief
    assert caught.value.details == said.strip()
    assert caught.value.hint
    assert tried() == 1
    assert time.monotonic() - before < 5


def test_a_machine_that_may_answer_later_is_waited_for_once_in_a_command(machine):
    one, tried = machine(SILENT)
    begin = time.monotonic()
    with pytest.raises(EnvctlError, match=r"does not answer at 192\.0\.2\.1"):
        one.connect(patience=0.5)
    before, attempts = time.monotonic(), tried()

    for _ in range(3):
        with pytest.raises(EnvctlError, match=r"does not answer at 192\.0\.2\.1"):
            one.connect(patience=0.4)
    assert tried() == attempts
    assert time.monotonic() - before < 0.3

    # Who has more patience waits for the rest.
    with pytest.raises(EnvctlError, match="does not answer"):
        one.run("true", patience=time.monotonic() - begin + 0.4)
    assert tried() > attempts


def test_a_machine_that_is_started_again_is_waited_for_again(machine):
    one, tried = machine(SILENT)
    with pytest.raises(EnvctlError):
        one.connect(patience=0.1)
    attempts = tried()

    one.disconnect()

    with pytest.raises(EnvctlError):
        one.connect(patience=0.1)
    assert tried() > attempts


def test_a_machine_that_lets_nobody_in_and_never_says_so_is_given_up(
    machine, tmp_path, monkeypatch
):
    one, _ = machine("")
    (tmp_path / "bin" / "ssh").write_text("#!/bin/sh\nexec sleep 30\n")
    before = time.monotonic()

    with pytest.raises(EnvctlError, match="does not answer") as caught:
        one.connect(patience=0.2)

    assert caught.value.details == "the SSH handshake timed out"
    assert time.monotonic() - before < 10
