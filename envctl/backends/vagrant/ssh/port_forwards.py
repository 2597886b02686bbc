"""Forwards ports of this host to a machine, over its shared SSH connection.

A machine's stamp maps ADDRESS/PORT to the host's port, where PORT is the port in the machine.
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
    """The host's ports in the format of a machine's stamp."""
    return {f"{port.address}/{port.container}": port.host for port in ports}


def missing(ports: Mapping[str, int], machine: SshMachine) -> Sequence[str]:
    """The keys of ports on which the machine's connection does not listen. Sockets of other programs do not count."""
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
    """By address and port, the inode numbers of the listening sockets."""
    sockets: dict[tuple[str, int], frozenset[str]] = {}
    for address, port, inode in listening():
        host = str(IPv4Address(int(address, 16).to_bytes(4, sys.byteorder)))
        sockets[host, port] = sockets.get((host, port), frozenset()) | {inode}
    return sockets
