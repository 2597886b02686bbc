"""How to reach the running machines of an environment by SSH, for `envctl ssh-config`."""

from __future__ import annotations

from envctl.backends.base import SshHost
from envctl.backends.vagrant import libvirt
from envctl.backends.vagrant.machine.machine_lookup import Machines
from envctl.backends.vagrant.names import MachineNames


def ssh_hosts(names: MachineNames, machines: Machines) -> list[SshHost]:
    """The running machines of the environment that have units."""
    domains = libvirt.domains(f"{names.prefix}_").values()
    reached = [
        (tuple(domain.units), machines.ssh_machine(domain))
        for domain in domains
        if domain.running and domain.units
    ]
    return [
        SshHost(units, machine.address, "root", machine.key, machine.known_hosts)
        for units, machine in reached
    ]
