"""`envctl export ssh-config`: the machines that run, as the command `ssh-config` describes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from envctl.backends.base import SshHost
from envctl.plan.target import Target
from envctl.project import Project
from envctl.verbs import export_running as verb


def test_the_file_has_each_running_machine(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = SshHost(("web",), "192.0.2.7", "root", Path("/keys/100% mine"), Path("/keys/known"))
    monkeypatch.setattr(verb, "ssh_hosts", lambda *_: {"shop-dev-web": machine})

    made = verb.export_running(
        Project(full, environ={}), verb.RUNNING_FORMATS["ssh-config"], Target("dev", "vagrant")
    )

    assert made.written.files == {
        "ssh_config": b"Host shop-dev-web\n"
        b"  HostName 192.0.2.7\n"
        b"  User root\n"
        b'  IdentityFile "/keys/100%% mine"\n'
        b"  IdentitiesOnly yes\n"
        b'  UserKnownHostsFile "/keys/known"\n'
        b"  StrictHostKeyChecking accept-new\n"
    }
    assert made.report.lines == []
