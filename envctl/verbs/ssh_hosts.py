"""`ssh-config`: how to reach the machines of an environment by SSH."""

from __future__ import annotations

from collections.abc import Mapping

from envctl.backends.base import ReachedBySsh, SshHost
from envctl.plan.target import Target
from envctl.project import Project
from envctl.session import Session
from envctl.verbs.running_units import named_units, nothing_up, require_running
from envctl.verbs.supported import unsupported


def ssh_hosts(project: Project, target: Target, unit: str = "") -> Mapping[str, SshHost]:
    """The running machines, by a host name for each of their units; only those of one service or unit, if named."""
    session = Session.of_existing(project, target)
    backend = session.backend
    if not isinstance(backend, ReachedBySsh):
        error = unsupported(backend, "ssh-config")
        error.hint = f"its units are not machines; `envctl shell {target}` opens a shell in one"
        raise error
    names = None
    if unit:
        names = named_units(session, backend.observe(), (unit,))
    scope = session.scope
    hosts = {
        f"{scope.project}-{scope.environment}-{name}": host
        for host in backend.ssh_hosts()
        for name in host.units
        if names is None or name in names
    }
    if unit and not hosts:
        require_running(session, unit)
    if not hosts:
        raise nothing_up(session, f"no machine of {target.environment} is running")
    return hosts


def config_text(hosts: Mapping[str, SshHost]) -> str:
    """OpenSSH configuration for these machines, by host name."""
    return "\n\n".join(_block(name, machine) for name, machine in hosts.items())


def _block(name: str, machine: SshHost) -> str:
    return "\n".join(
        (
            f"Host {name}",
            f"  HostName {machine.address}",
            f"  User {machine.user}",
            f"  IdentityFile {_quoted(str(machine.key))}",
            "  IdentitiesOnly yes",
            f"  UserKnownHostsFile {_quoted(str(machine.known_hosts))}",
            "  StrictHostKeyChecking accept-new",
        )
    )


def _quoted(path: str) -> str:
    """A path quoted for OpenSSH, which splits values at spaces and expands `%`."""
    return '"' + path.replace("%", "%%") + '"'
