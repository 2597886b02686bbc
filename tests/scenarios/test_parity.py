"""The guestbook's dev in containers and in machines: equal, by envctl's own account and by another tool's."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

import pytest
import testinfra

from envctl.backends.common.step_views import placed
from envctl.backends.docker import names as docker_names
from envctl.backends.vagrant import libvirt
from envctl.backends.vagrant.names import MachineNames
from envctl.host.private_state import state_path
from envctl.plan.model import Build, CopyFiles, CreateUser, InstallPackages, Kind, Plan, Unit
from envctl.plan.target import Target
from tests.support.http import free_port

pytestmark = [pytest.mark.engine, pytest.mark.machines, pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture
def both(machines, make_guestbook):
    """The guestbook's dev, up in containers and in machines."""
    guestbook = make_guestbook()
    for target in ("dev@docker", "dev@vagrant"):
        guestbook.port = free_port()
        guestbook.cli("up", target)
    yield guestbook
    guestbook.project.cli("down", "dev@vagrant", "--volumes")


def test_containers_and_machines_are_equal(both):
    done = both.project.cli("parity", "dev@docker", "dev@vagrant", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = json.loads(done.stdout)["comparisons"]
    assert {one["verdict"] for one in found["findings"]} == {"substrate"}
    assert found["facts"]["equal"] > 2000

    seen = {}
    for backend in ("docker", "vagrant"):
        plan = both.project.workspace().plan(Target("dev", backend))
        units = [unit for unit in plan.units if unit.kind is Kind.SERVICE]
        seen[backend] = {unit.name: _ask_another(both.project, plan, unit) for unit in units}
    assert seen["docker"] == seen["vagrant"]


def _ask_another(project, plan: Plan, unit: Unit) -> list[object]:
    """Check with testinfra that a unit is what the spec says; versions and users, to compare."""
    host = _host(project, plan, unit)
    seen: list[object] = []
    assert isinstance(unit.source, Build)
    for step in unit.source.steps:
        match step:
            case InstallPackages():
                assert [name for name in step.names if not host.package(name).is_installed] == []
                seen += [host.package(name).version for name in step.names]
            case CreateUser():
                # A package may have made it before, with a number and a home of its own.
                user = host.user(step.name)
                assert user.exists
                seen.append((user.uid, user.gid, user.home, user.shell, user.groups))
            case CopyFiles():
                for path, file in placed(step):
                    if not any(path.startswith(f"{one.target}/") for one in unit.run.mounts):
                        there = host.file(path)
                        assert there.sha256sum == _hash(project, file.source), path
                        assert there.user == (step.owner.partition(":")[0] or "root")
                        assert file.mode is None or there.mode == file.mode
    assert {port.container for port in unit.run.ports} <= set(_listening(host))
    # The user of all processes, since the one it starts may become another program.
    assert host.user(unit.run.process.user).uid in _users_of_processes(host)
    return seen


def _hash(project, path: str) -> str:
    return hashlib.sha256((project.root / path).read_bytes()).hexdigest()


def _host(project, plan: Plan, unit: Unit):
    if plan.backend == "docker":
        return testinfra.get_host(f"docker://{docker_names.Names(plan.scope).container(unit.name)}")
    names = MachineNames(plan.scope)
    domain = libvirt.domain(names.domain(unit.name))
    assert domain is not None
    key = state_path(project.root, "vagrant", "dev") / "key"
    known = names.machine(unit.name) / "known_hosts"
    extra = f"-F /dev/null -o IdentitiesOnly=yes -o UserKnownHostsFile={known}"
    return testinfra.get_host(
        f"ssh://root@{domain.address}", ssh_identity_file=str(key), ssh_extra_args=extra
    )


def _listening(host) -> Iterator[int]:
    for table in ("tcp", "tcp6"):
        for line in host.file(f"/proc/net/{table}").content_string.splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A":
                yield int(fields[1].rpartition(":")[2], 16)


def _users_of_processes(host) -> set[int]:
    # Some end while they are asked.
    asked = host.run("for p in /proc/[0-9]*; do stat -c %u $p 2>/dev/null; done")
    return {int(line) for line in asked.stdout.split()}
