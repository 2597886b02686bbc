"""Checks and repairs a running machine: its clock, default route, host names and mounts.

Machines run no time service, and a machine's clock stops while the host is suspended. So envctl sets the clock.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from envctl.backends.common import stale_mounts
from envctl.backends.vagrant.quoting import words
from envctl.errors import EnvctlError
from envctl.lazy_dataclass import dataclass
from envctl.plan.model import Mount
from envctl.plan.state import Drift
from envctl.plan.values import word_text

if TYPE_CHECKING:
    from envctl.backends.vagrant.machine.domain import Domain
    from envctl.backends.vagrant.ssh.ssh_machine import SshMachine

TOLERANCE: Final = 2.0
"""How many seconds a clock may be off."""
_TRIES: Final = 4
"""How many times to read the clock if answers take too long for a verdict."""
_TIMEOUT: Final = 30.0
_DEFAULT: Final = "00000000"
"""The destination of the default route in the kernel's table."""
_CLOCK: Final = "date +%s.%N"
_LOOK: Final = f"""{_CLOCK}
cut -f 2 /proc/net/route | grep -c -x {_DEFAULT} || :
{stale_mounts.SCRIPT}
cat /etc/hosts 2>/dev/null || :
"""


@dataclass(frozen=True, slots=True)
class MachineHealth:
    """The result of a check.

    The clock is `ahead` seconds ahead of the host's, plus or minus `unsure`; `mounts` are by target.
    """

    ahead: float
    unsure: float
    has_route: bool
    names: Mapping[str, frozenset[str]]
    mounts: Mapping[str, stale_mounts.FileStat]

    @property
    def is_late(self) -> bool:
        """Whether the clock is certainly wrong."""
        return abs(self.ahead) - self.unsure > TOLERANCE


def check(machine: SshMachine, mounts: Sequence[Mount]) -> MachineHealth:
    """Check a machine with these mounts. EnvctlError if it does not answer."""
    targets = [mount.target for mount in mounts]
    sent = time.time()
    output = machine.run(f"set -- {words(targets)}\n{_LOOK}", timeout=_TIMEOUT)
    clock, *tail = output.splitlines() or [""]
    ahead, unsure = _offset(machine.unit, clock, sent, time.time())
    for _ in range(_TRIES):
        if abs(ahead) + unsure <= TOLERANCE or abs(ahead) - unsure > TOLERANCE:
            break
        sent = time.time()
        clock = machine.run(_CLOCK, timeout=_TIMEOUT)
        ahead, unsure = min(
            (ahead, unsure),
            _offset(machine.unit, clock, sent, time.time()),
            key=lambda measurement: measurement[1],
        )
    routes, *lines = tail or [""]
    return MachineHealth(
        ahead,
        unsure,
        routes not in ("", "0"),
        _names("\n".join(lines[len(targets) :])),
        stale_mounts.parse(targets, "\n".join(lines[: len(targets)])),
    )


def _offset(unit: str, clock: str, sent: float, received: float) -> tuple[float, float]:
    """How many seconds a clock was ahead when it was read between two times here, and the uncertainty."""
    try:
        machine_time = float(clock)
    except ValueError as error:
        raise EnvctlError(f"{unit}: cannot read its clock", details=clock) from error
    return machine_time - (sent + received) / 2, (received - sent) / 2


def _names(hosts: str) -> Mapping[str, frozenset[str]]:
    """By address, the host names for it."""
    names_by_host: dict[str, frozenset[str]] = {}
    for line in hosts.splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        names_by_host[address] = names_by_host.get(address, frozenset()) | {*names}
    return names_by_host


def names_by_address(domains: Iterable[Domain]) -> Mapping[str, Sequence[str]]:
    """By address, the names of the units of all running machines."""
    return {
        domain.address: sorted(name for unit in domain.units.values() for name in unit["aliases"])
        for domain in domains
        if domain.running and domain.address
    }


def names_inside(domain: Domain, names: Mapping[str, Sequence[str]]) -> Mapping[str, Sequence[str]]:
    """The names as seen in one machine. Units that share a machine find each other on its loopback."""
    inside = dict(names)
    if not domain.units and domain.one_offs:
        # Other units must not find a unit that is there only for a command; the unit itself must know its own name.
        inside[domain.address] = sorted(domain.one_offs["units"])
    if any(unit.get("shared") for unit in domain.units.values()) and domain.address in inside:
        inside["127.0.0.1"] = inside.pop(domain.address)
    return inside


def drift(
    health: MachineHealth, mounts: Sequence[Mount], names: Mapping[str, Sequence[str]]
) -> Iterator[Drift]:
    """The differences of a machine from its creation. A start repairs all of them."""
    if health.is_late:
        word = "ahead of" if health.ahead > 0 else "behind"
        yield Drift(f"its clock is {abs(health.ahead):.0f} s {word} the host's", in_place=True)
    if not health.has_route:
        yield Drift("it has no default route", in_place=True)
    if unknown := _lost(health, names):
        yield Drift(
            f"it cannot resolve {', '.join(map(word_text, unknown))}",
            ("aliases",),
            in_place=True,
        )
    for mount_drift in outdated_mounts(health, mounts):
        yield Drift(mount_drift.text, mount_drift.path, in_place=True)


def outdated_mounts(health: MachineHealth, mounts: Sequence[Mount]) -> Iterator[Drift]:
    """Mounts that no longer show the host's folder. Only restarting the machine repairs them."""
    yield from stale_mounts.drift(mounts, health.mounts, same_inodes=True)


def _lost(health: MachineHealth, names: Mapping[str, Sequence[str]]) -> Sequence[str]:
    return sorted(
        {
            name
            for address, expected in names.items()
            for name in expected
            if name not in health.names.get(address, ())
        }
    )


def repair(machine: SshMachine, health: MachineHealth, gateway: str) -> None:
    """Set the clock and restore the default route."""
    if health.is_late:
        # A relative change, so that it does not matter how long the command takes to arrive.
        machine.run(f"date -s 'now {-health.ahead:+.6f} seconds' >/dev/null", timeout=_TIMEOUT)
    if not health.has_route:
        machine.run(f"/run/envctl/busybox ip route replace default via {gateway}", timeout=_TIMEOUT)
