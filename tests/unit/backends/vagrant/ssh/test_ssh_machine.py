"""Keys and options of SSH: what came with a project is not taken for ours, and any path is one word."""

from __future__ import annotations

import os
import subprocess

import pytest

from envctl.backends.vagrant.ssh import ssh_key, ssh_machine
from envctl.backends.vagrant.ssh.ssh_machine import SshMachine
from envctl.errors import EnvctlError

pytestmark = pytest.mark.slow


def test_a_key_is_made_once_and_known_from_itself(tmp_path):
    key = tmp_path / "new" / "key"
    public = ssh_key.make_key(key)
    assert ssh_key.make_key(key) == public
    assert key.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in key.parent.iterdir()] == ["key"]


def test_what_stands_beside_a_key_is_not_believed(tmp_path):
    key = tmp_path / "key"
    public = ssh_key.make_key(key)
    (tmp_path / "key.pub").write_text("ssh-ed25519 AAAA</cmdline>\n")
    assert ssh_key.make_key(key) == public


def test_a_key_that_others_can_read_or_that_is_a_link_is_refused(tmp_path):
    key = tmp_path / "key"
    ssh_key.make_key(key)
    (tmp_path / "link").symlink_to(key)
    with pytest.raises(EnvctlError, match="is not a private key that only you can read"):
        ssh_key.make_key(tmp_path / "link")
    key.chmod(0o644)
    with pytest.raises(EnvctlError, match="is not a private key that only you can read"):
        ssh_key.make_key(key)


@pytest.mark.parametrize("name", ["plain", "a b", "50%", "100%h", "%d", "it's"])
def test_any_folder_is_one_file_to_ssh(tmp_path, name):
    folder = tmp_path / name
    machine = SshMachine("web", folder / "key", folder / "known_hosts", "192.0.2.1")
    done = subprocess.run(
        [*machine._ssh(), "-G", "root@192.0.2.1"], capture_output=True, text=True, check=True
    )
    told = dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)
    # `-G` shows what is still to be expanded: a percent sign is two.
    assert told["userknownhostsfile"].strip('"').replace("%%", "%") == str(folder / "known_hosts")
    assert told["identityfile"].strip('"').replace("%%", "%") == str(folder / "key")


def test_a_port_that_cannot_be_carried_is_reported_in_the_words_of_ssh(tmp_path):
    machine = SshMachine("web", tmp_path / "key", tmp_path / "known", "127.0.0.1")
    assert "Control socket" in machine.forward("127.0.0.1", 8080, 80)
    assert machine.forward("127.0.0.1", 8080, 80, cancel=True) == ""


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine whose ssh runs what it is told here."""
    program = tmp_path / "bin" / "ssh"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nfor script; do :; done\nexec sh -c "$script"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(ssh_machine, "MAX_OUTPUT", 1000)
    made = SshMachine("web", tmp_path / "key", tmp_path / "known", "192.0.2.1")
    made.control.touch()
    return made


def test_a_script_gets_its_input_and_tells_what_it_prints(machine):
    assert machine.run("cat; echo heard >&2", data=b"ab\xff") == "ab\N{REPLACEMENT CHARACTER}"
    with pytest.raises(EnvctlError, match="web: a command in its machine failed") as caught:
        machine.run("echo no way >&2; exit 3")
    assert caught.value.details == "no way\n"
    with pytest.raises(EnvctlError, match=r"did not answer within 0\.2 s"):
        machine.run("exec sleep 60", timeout=0.2)


@pytest.mark.parametrize("stream", [1, 2])
def test_a_script_that_tells_too_much_is_not_heard_out(machine, stream):
    limit = 64 * 1024 * 1024
    assert machine.run(f"head -c {limit} /dev/zero >&{stream}") == "\0" * limit * (stream == 1)
    with pytest.raises(EnvctlError, match="printed more than"):
        machine.run(f"head -c {limit + 1} /dev/zero >&{stream}")


def test_lines_come_one_by_one_and_a_failure_at_their_end(machine):
    with machine.lines("echo one; echo two; exit 3") as lines:
        assert [next(lines), next(lines)] == [b"one\n", b"two\n"]
        with pytest.raises(EnvctlError, match="web: a command in its machine failed"):
            next(lines)
    with machine.lines("yes") as lines:
        assert next(lines) == b"y\n"


def test_a_line_without_an_end_is_not_read_further(machine):
    with (
        machine.lines("cat /dev/zero") as lines,
        pytest.raises(EnvctlError, match="a line is longer"),
    ):
        next(lines)
