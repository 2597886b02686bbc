"""Keys and options of SSH: what came with a project is not taken for ours, and any path is one word."""

from __future__ import annotations

import subprocess

import pytest

from envctl.backends.vagrant import ssh
from envctl.errors import EnvctlError


def test_a_key_is_made_once_and_known_from_itself(tmp_path):
    key = tmp_path / "new" / "key"
    public = ssh.make_key(key)
    assert ssh.make_key(key) == public
    assert key.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in key.parent.iterdir()] == ["key"]


def test_what_stands_beside_a_key_is_not_believed(tmp_path):
    key = tmp_path / "key"
    public = ssh.make_key(key)
    (tmp_path / "key.pub").write_text("ssh-ed25519 AAAA</cmdline>\n")
    assert ssh.make_key(key) == public


def test_a_key_that_others_can_read_or_that_is_a_link_is_refused(tmp_path):
    key = tmp_path / "key"
    ssh.make_key(key)
    (tmp_path / "link").symlink_to(key)
    with pytest.raises(EnvctlError, match="is not a private key of yours"):
        ssh.make_key(tmp_path / "link")
    key.chmod(0o644)
    with pytest.raises(EnvctlError, match="is not a private key of yours"):
        ssh.make_key(key)


@pytest.mark.parametrize("name", ["plain", "a b", "50%", "100%h", "%d", "it's"])
def test_any_folder_is_one_file_to_ssh(tmp_path, name):
    folder = tmp_path / name
    machine = ssh.Machine("web", folder / "key", folder / "known_hosts", "192.0.2.1")
    done = subprocess.run(
        [*machine._ssh(), "-G", "root@192.0.2.1"], capture_output=True, text=True, check=True
    )
    told = dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)
    # `-G` shows what is still to be expanded: a percent sign is two.
    assert told["userknownhostsfile"].strip('"').replace("%%", "%") == str(folder / "known_hosts")
    assert told["identityfile"].strip('"').replace("%%", "%") == str(folder / "key")


def test_a_port_that_cannot_be_carried_is_told_in_the_words_of_ssh(tmp_path):
    machine = ssh.Machine("web", tmp_path / "key", tmp_path / "known", "127.0.0.1")
    assert "Control socket" in machine.forward("127.0.0.1", 8080, 80)
    assert machine.forward("127.0.0.1", 8080, 80, cancel=True) == ""
