"""Finds the machine of a unit, and its SSH connection."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from envctl.backends.vagrant import libvirt
from envctl.backends.vagrant.names import SHARED, MachineNames

if TYPE_CHECKING:
    from envctl.backends.vagrant.machine.domain import Domain
    from envctl.backends.vagrant.ssh.ssh_machine import SshMachine


class Machines:
    """The machines of one environment, as libvirt lists them now."""

    def __init__(self, names: MachineNames) -> None:
        self._names = names

    @property
    def key(self) -> Path:
        """The private key for all machines of the environment."""
        return self._names.key

    def ssh_machine(self, domain: Domain) -> SshMachine:
        """The SSH connection of a machine, at the address in its stamp, or the one that libvirt knows."""
        from envctl.backends.vagrant.ssh.ssh_machine import SshMachine

        name = self._names.unit(domain.name) or domain.name
        address = domain.address or libvirt.address(domain.name)
        return SshMachine(name, self._names.key, self._names.machine(name) / "known_hosts", address)

    def domain_of(self, unit: str) -> Domain | None:
        """The machine of a unit."""
        domain = libvirt.domain(self._names.domain(unit))
        if domain is not None and unit in domain.units:
            return domain
        shared = libvirt.domain(self._names.domain(SHARED))
        return shared if shared is not None and unit in shared.units else domain
