"""How the running machines of an environment are reached over SSH, for `envctl ssh-config`."""

from __future__ import annotations

from envctl.backends.base import SshHost
from envctl.backends.vagrant import libvirt
from envctl.backends.vagrant.machine.machine_lookup import Machines
from envctl.backends.vagrant.names import MachineNames


def ssh_hosts(names: MachineNames, machines: Machines) -> list[SshHost]:
    """The machines of the environment that run and have units."""
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
