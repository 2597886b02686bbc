"""The machine as it is read from its files."""

from __future__ import annotations

import sys

import pytest

from envctl.doctor.host import Host
from envctl.errors import EnvctlError


def test_the_distribution_is_read_without_its_quotes(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text('NAME="Debian"\nID="debian"\nID_LIKE=x\n')
    assert Host(root=tmp_path).distribution == "debian"
    assert Host(root=tmp_path / "none").distribution == ""


def test_a_program_is_also_looked_for_where_roots_are(tmp_path):
    host = Host(environ={"PATH": str(tmp_path)})
    assert host.which("envctl-no-such-program") is None
    (tmp_path / "mine").write_text("#!/bin/sh\n")
    (tmp_path / "mine").chmod(0o755)
    assert host.which("mine") == str(tmp_path / "mine")


def test_space_is_that_of_the_nearest_folder_that_exists(tmp_path):
    host = Host(root=tmp_path)
    assert host.free("/var/lib/docker") > 0


def test_a_program_says_everything_in_one_text():
    code = "import sys; print('out', flush=True); sys.stderr.write('err\\n'); sys.exit(3)"
    outcome = Host(environ={}).run([sys.executable, "-c", code])
    assert (outcome.code, outcome.text) == (3, "out\nerr\n")


def test_a_program_gets_of_the_environment_what_it_needs_and_no_more():
    environ = {
        "PATH": "/usr/bin:/bin", "https_proxy": "p:1", "NO_PROXY": "x", "LC_CTYPE": "C.UTF-8",
        "SSL_CERT_FILE": "/ca.pem", "DB_PASSWORD": "hush", "AWS_SECRET_ACCESS_KEY": "hush",
    }  # fmt: skip
    lines = Host(environ=environ).run(["env"], env={"MORE": "1"}).text.splitlines()
    assert sorted(lines) == [
        "LC_CTYPE=C.UTF-8", "MORE=1", "NO_PROXY=x", "PATH=/usr/bin:/bin", "SSL_CERT_FILE=/ca.pem",
        "https_proxy=p:1",
    ]  # fmt: skip


def test_a_program_that_does_not_exist_or_does_not_end_is_an_error():
    with pytest.raises(EnvctlError, match="cannot be run"):
        Host().run(["envctl-no-such-program"])
    with pytest.raises(EnvctlError, match="took longer than"):
        Host().run(["sleep", "60"], timeout=0.1)


def test_a_file_tells_its_group_and_mode_and_whether_it_opens(tmp_path):
    file = tmp_path / "dev/thing"
    file.parent.mkdir()
    file.touch()
    file.chmod(0o640)
    host = Host(root=tmp_path)

    assert host.owner("/dev/thing") == (file.stat().st_gid, 0o640)
    assert host.opens("/dev/thing")
    assert host.owner("/dev/none") is None
    assert not host.opens("/dev/none")


@pytest.mark.parametrize(
    ("said", "name"), [("arm64", "aarch64"), ("AMD64", "x86_64"), ("riscv64", "riscv64")]
)
def test_a_processor_has_one_name_whatever_the_system_calls_it(monkeypatch, said, name):
    monkeypatch.setattr("platform.machine", lambda: said)
    assert Host().processor == name
