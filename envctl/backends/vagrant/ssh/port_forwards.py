"""Forwards ports of this host to a machine, over its shared SSH connection.

A machine's stamp has the host's port by ADDRESS/PORT, where PORT is the one in the machine.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from ipaddress import IPv4Address
from pathlib import Path

from envctl.backends.common.port_conflict import port_taken
from envctl.backends.vagrant.ssh.ssh_machine import SshMachine
from envctl.host.port_use import listening, sockets_of
from envctl.plan.model import Port, Unit


def by_key(ports: Sequence[Port]) -> Mapping[str, int]:
    """The host's ports as a machine's stamp has them."""
    return {f"{port.address}/{port.container}": port.host for port in ports}


def missing(ports: Mapping[str, int], machine: SshMachine) -> Sequence[str]:
    """The keys of ports at which the machine's connection does not listen; another program's socket does not count."""
    if not ports:
        return ()
    process = machine.connected()
    sockets = _sockets_of(process) if process else frozenset()
    by_port = _listening_by_port()
    return [
        key
        for key, port in ports.items()
        if not by_port.get((key.rpartition("/")[0], port), frozenset()) & sockets
    ]


def add(ports: Mapping[str, int], machine: SshMachine, unit: Unit) -> None:
    """Forward a unit's ports. EnvctlError if another program uses one."""
    if ports:
        machine.connect()
    for key, port in ports.items():
        address, _, inside = key.rpartition("/")
        if reason := machine.forward(address, port, int(inside)):
            raise port_taken(unit, port, message=reason)


def remove(ports: Mapping[str, int], machine: SshMachine) -> None:
    """Stop forwarding ports."""
    for key, port in ports.items():
        address, _, inside = key.rpartition("/")
        machine.forward(address, port, int(inside), cancel=True)


def _sockets_of(process: int) -> frozenset[str]:
    with suppress(OSError):
        return sockets_of(Path(f"/proc/{process}"))
    return frozenset()


def _listening_by_port() -> Mapping[tuple[str, int], frozenset[str]]:
    """By address and port, the inode numbers of the sockets that listen there."""
    sockets: dict[tuple[str, int], frozenset[str]] = {}
    for address, port, inode in listening():
        host = str(IPv4Address(int(address, 16).to_bytes(4, sys.byteorder)))
        sockets[host, port] = sockets.get((host, port), frozenset()) | {inode}
    return sockets
