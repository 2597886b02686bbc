"""Ports of this host that a machine's shared connection carries into it.

A machine's note of them has the port here by ADDRESS/PORT, the port inside.
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
from envctl.backends.vagrant.ssh import Machine
from envctl.plan.model import Port, Unit

_LISTENS: Final = "0A"
"""A socket's state in the kernel's table."""


def choose_ports(ports: Sequence[Port], before: Mapping[str, int]) -> Mapping[str, int]:
    """What to carry: where the spec leaves a port here open, the one there was before, or a free one."""
    chosen = {}
    for port in ports:
        key = f"{port.address}/{port.container}"
        chosen[key] = port.host or before.get(key) or _free_port(port.address)
    return chosen


def missing(ports: Mapping[str, int], machine: Machine) -> Sequence[str]:
    """Those at which the machine's connection does not listen, by key; another program does not count."""
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


def add(ports: Mapping[str, int], machine: Machine, unit: Unit) -> None:
    """Have a unit's ports carried. EnvctlError if one is another program's."""
    if ports:
        machine.connect()
    for key, port in ports.items():
        address, _, inside = key.rpartition("/")
        if reason := machine.forward(address, port, int(inside)):
            raise port_taken(unit, port, said=reason)


def remove(ports: Mapping[str, int], machine: Machine) -> None:
    """Carry them no more."""
    for key, port in ports.items():
        address, _, inside = key.rpartition("/")
        machine.forward(address, port, int(inside), cancel=True)


def _free_port(address: str) -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def _sockets_of(process: int) -> frozenset[str]:
    """The numbers of a process's sockets; none if it is gone."""
    sockets = set()
    with suppress(OSError):
        for file in Path(f"/proc/{process}/fd").iterdir():
            with suppress(OSError):
                sockets.add(str(file.readlink()).removeprefix("socket:[").removesuffix("]"))
    return frozenset(sockets)


def _listening() -> Mapping[tuple[str, int], frozenset[str]]:
    """By address and port, the numbers of the sockets that listen there."""
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
