"""Names and addresses of the machines in a rendered folder. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from envctl.backends.vagrant import layout
from envctl.backends.vagrant.names import DISK, SHARED
from envctl.lazy_dataclass import dataclass
from envctl.plan.host_ports import port_key, portable_ports
from envctl.plan.model import Plan, Port, Unit

_FIRST: Final = 10
"""The last number of the first address."""


@dataclass(frozen=True, slots=True)
class Network:
    """The network of the machines. Like Compose's, its name contains the project and environment, not the checkout."""

    name: str
    numbers: Mapping[str, int]
    """By machine, the last number of its address."""
    names: Mapping[str, Sequence[str]]
    """By machine, the names of its units."""
    ports: Mapping[str, int]
    """Host ports for the ports that the spec leaves open, by key."""

    @classmethod
    def of(cls, plan: Plan) -> Network:
        """The network of a laid-out plan."""
        name = f"{plan.scope.project}-{plan.scope.environment}"
        names: dict[str, list[str]] = {}
        for unit in plan.units:
            unit_names = [unit.name, unit.service, *unit.run.aliases]
            names.setdefault(machine_name(plan, unit), []).extend(unit_names)
        numbers = {key: _FIRST + position for position, key in enumerate(names)}
        unique = {key: sorted(set(many)) for key, many in names.items()}
        return cls(name, numbers, unique, portable_ports(plan))

    @property
    def addresses(self) -> str:
        """The first three numbers of the addresses."""
        number = _number(self.name)
        return f"10.{128 + number % 127}.{number // 127 % 256}"

    def mac(self, machine: str) -> str:
        """The MAC address of a machine in the network."""
        text = hashlib.sha256(f"{self.name}/{machine}".encode()).hexdigest()
        return ":".join(["52", "54", "00", text[:2], text[2:4], text[4:6]])

    def disk(self, volume: str) -> str:
        """The name of a volume's disk in the storage pool."""
        return f"{self.name}_{quote(volume, safe='')}{DISK}"

    def port(self, unit: Unit, port: Port) -> int:
        """The host port that is forwarded to a port of a unit."""
        return port.host or self.ports[port_key(unit.name, port)]

    def table(self, machine: str, *, shared: bool) -> Sequence[Mapping[str, Any]]:
        """The host names for a machine, and the last numbers of their addresses.

        Units in the same machine find each other on its loopback, as with `up`.
        """
        return [
            {
                "number": self.numbers[key],
                "own": shared and key == machine,
                "names": " ".join(names),
            }
            for key, names in self.names.items()
        ]


def machine_name(plan: Plan, unit: Unit) -> str:
    """The name of a unit's machine; a shared one is named after the environment."""
    name = layout.machine_of(unit).name
    if name != SHARED:
        return name
    shared = plan.scope.environment
    while any(other.name == shared for other in plan.units):
        shared += "-all"
    return shared


def _number(text: str) -> int:
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16)
