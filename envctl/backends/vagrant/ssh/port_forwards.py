"""Forwards ports of this host to a machine, over its shared SSH connection.

A machine's stamp has the host's port by ADDRESS/PORT, where PORT is the one in the machine.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final

from envctl.backends.common.port_conflict import port_taken
from envctl.backends.vagrant.ssh.ssh_machine import SshMachine
from envctl.plan.model import Port, Unit

_LISTENS: Final = "0A"
"""The state of a listening socket in /proc/net/tcp."""


def choose_ports(ports: Sequence[Port], before: Mapping[str, int]) -> Mapping[str, int]:
    """The host's ports. Where the spec leaves one open: the one used before, or a free one."""
    chosen = {}
    for port in ports:
        key = f"{port.address}/{port.container}"
        chosen[key] = port.host or before.get(key) or _free_port(port.address)
    return chosen


def missing(ports: Mapping[str, int], machine: SshMachine) -> Sequence[str]:
    """The keys of ports at which the machine's connection does not listen; another program's socket does not count."""
    if not ports:
        return ()
    process = machine.connected()
    sockets = _sockets_of(process) if process else frozenset()
    listening = _listening()
    return [
        key
        for key, port in ports.items()
        if not listening.get((key.rpartition("/")[0], port), frozenset()) & sockets
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


def _free_port(address: str) -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def _sockets_of(process: int) -> frozenset[str]:
    """The inode numbers of a process's sockets; none if it has exited."""
    sockets = set()
    with suppress(OSError):
        for file in Path(f"/proc/{process}/fd").iterdir():
            with suppress(OSError):
                sockets.add(str(file.readlink()).removeprefix("socket:[").removesuffix("]"))
    return frozenset(sockets)


def _listening() -> Mapping[tuple[str, int], frozenset[str]]:
    """By address and port, the inode numbers of the sockets that listen there."""
    listening: dict[tuple[str, int], frozenset[str]] = {}
    for line in Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]:
        fields = line.split()
        local, state, number = fields[1], fields[3], fields[9]
        if state == _LISTENS:
            address, _, port = local.partition(":")
            host = str(IPv4Address(int(address, 16).to_bytes(4, sys.byteorder)))
            key = host, int(port, 16)
            listening[key] = listening.get(key, frozenset()) | {number}
    return listening
