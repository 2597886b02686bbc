"""ssh-config: print how to reach machines by SSH."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from envctl.cli.arguments import Services, Target
from envctl.cli.declare import AsJson, Option
from envctl.cli.invocation import Invocation
from envctl.errors import UsageError

if TYPE_CHECKING:
    from envctl.backends.base import SshHost


def ssh_config(
    invocation: Invocation,
    target: Target = None,
    services: Services = None,
    *,
    host: Annotated[
        str | None, Option(("--host",), "Use this name for the host. Needs SERVICE.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print the OpenSSH configuration of the virtual machines that are running.

    Each service's host is called PROJECT-ENVIRONMENT-SERVICE. Use it with `ssh -F`, `scp`, rsync or an editor; you log in
    as root of the machine.

    Examples:
        envctl ssh-config dev@vagrant > ssh.conf; ssh -F ssh.conf shop-dev-web
        envctl ssh-config dev@vagrant web --host web >> ~/.ssh/config

    JSON: a list of objects with `host`, `units`, `address`, `user`, `key` and `known_hosts`.
    """
    goal, names = invocation.target_and_services(target, services)
    if len(names) > 1 or (host and not names):
        raise UsageError("name one service")
    from envctl.verbs import ssh_hosts as verb

    hosts = dict(verb.ssh_hosts(invocation.project, goal, *names))
    if host:
        hosts = {host: next(iter(hosts.values()))}
    if as_json:
        invocation.json([_data(name, machine) for name, machine in hosts.items()])
    else:
        invocation.out.text(verb.config_text(hosts))


def _data(name: str, machine: SshHost) -> dict[str, object]:
    return {
        "host": name,
        "units": list(machine.units),
        "address": machine.address,
        "user": machine.user,
        "key": str(machine.key),
        "known_hosts": str(machine.known_hosts),
    }
