"""What others may do inside a unit behind envctl's back: root with every right, as one who administers the host has."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from envctl.backends.vagrant import libvirt
from envctl.backends.vagrant.layout import machine_of
from envctl.backends.vagrant.names import MachineNames
from envctl.backends.vagrant.ssh.ssh_machine import SshMachine
from envctl.host.private_state import state_path
from envctl.plan.target import Target
from tests.support.project import Project


def as_root(project: Project, unit: str, script: str, *, backend: str = "") -> str:
    """Run a shell script in a unit as root of its host; what it printed."""
    return (
        _in_machine(project, unit, script)
        if (backend or project.backend) == "vagrant"
        else _in_container(project, unit, script)
    )


def _in_container(project: Project, unit: str, script: str) -> str:
    process = _process(project, unit)
    spaces = ("--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd")
    return _ran(["nsenter", f"--target={process}", *spaces, "/bin/sh", "-ec", script])


def _in_machine(project: Project, unit: str, script: str) -> str:
    plan = project.workspace().plan(Target("dev", "vagrant"))
    names, unit = MachineNames(plan.scope), machine_of(plan.unit(unit)).name
    domain = libvirt.domain(names.domain(unit))
    assert domain is not None
    key = state_path(project.root, "vagrant", "dev") / "key"
    machine = SshMachine(unit, key, names.machine(unit) / "known_hosts", domain.address)
    return machine.run(f"set -e\n{script}", timeout=120)


def beside(project: Project, unit: str, script: str) -> str:
    """Run a shell script on the host of a container: $PID is its first process, $GROUP its control group's path."""
    process = _process(project, unit)
    groups = Path(f"/proc/{process}/cgroup").read_text().splitlines()
    # Of version 1 there is one of each kind, of version 2 just one.
    paths = dict(line.split(":", 2)[1:] for line in groups)
    given = {"PID": str(process), "GROUP": paths.get("memory", paths.get("", ""))}
    return _ran(["/bin/sh", "-ec", script], {**os.environ, **given})


def _process(project: Project, unit: str) -> int:
    from tests.support.docker_client import docker_client

    client = docker_client()
    try:
        observed = project.workspace().observed(Target("dev", "docker"))
        return int(client.api.inspect_container(observed.units[unit].id)["State"]["Pid"])
    finally:
        client.close()


def _ran(argv: list[str], env: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout
