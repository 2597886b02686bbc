"""Ports of this host that a machine's shared connection carries into it.

A machine's note of them has the port here by ADDRESS/PORT, the port inside.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Mapping, Sequence

from envctl.backends.vagrant.ssh import Machine
from envctl.plan.model import Port


def chosen(ports: Sequence[Port], before: Mapping[str, int]) -> Mapping[str, int]:
    """What to carry: where the spec leaves a port here open, the one there was before, or a free one."""
    found = {}
    for port in ports:
        key = f"{port.address}/{port.container}"
        found[key] = port.host or before.get(key) or _free_port(port.address)
    return found


def are_carried(ports: Mapping[str, int]) -> bool:
    """Whether somebody listens at all of them; a connection that is dead does not."""
    return all(_is_taken(key.rpartition("/")[0], port) for key, port in ports.items())


def carry(ports: Mapping[str, int], machine: Machine) -> None:
    """Have them carried. EnvctlError if one is another program's."""
    if ports:
        machine.connect()
    for key, port in ports.items():
        address, _, inside = key.rpartition("/")
        machine.forward(address, port, int(inside))


def drop(ports: Mapping[str, int], machine: Machine) -> None:
    """Carry them no more."""
    for key, port in ports.items():
        address, _, inside = key.rpartition("/")
        machine.forward(address, port, int(inside), cancel=True)


def _free_port(address: str) -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def _is_taken(address: str, port: int) -> bool:
    with socket.socket() as probe:
        # As those that listen do: what lingers of former connections hinders nobody.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            # A port that only root may have is not known to be free.
            return error.errno != errno.EADDRNOTAVAIL
    return False
