"""What others may do inside a unit behind envctl's back: root with every right, as one who administers the host has."""

from __future__ import annotations

import subprocess

from envctl.backends.vagrant import libvirt, ssh
from envctl.backends.vagrant.names import Names
from envctl.private import state_path
from tests.support.project import Project


def as_root(project: Project, unit: str, script: str) -> str:
    """Run a shell script in a unit as root of its host; what it printed."""
    return (
        _in_machine(project, unit, script)
        if project.backend == "vagrant"
        else _in_container(project, unit, script)
    )


def _in_container(project: Project, unit: str, script: str) -> str:
    import docker

    client = docker.from_env()
    try:
        process = client.api.inspect_container(project.ids()[unit])["State"]["Pid"]
    finally:
        client.close()
    spaces = ("--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd")
    return _ran(["nsenter", f"--target={process}", *spaces, "/bin/sh", "-ec", script])


def _in_machine(project: Project, unit: str, script: str) -> str:
    names = Names(project.workspace().plan(project.target).scope)
    domain = libvirt.domain(names.domain(unit))
    assert domain is not None
    key = state_path(project.root, "vagrant", "dev") / "key"
    machine = ssh.Machine(unit, key, names.machine(unit) / "known_hosts", domain.address)
    return machine.run(f"set -e\n{script}", timeout=120)


def _ran(argv: list[str]) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout
