"""`port`: where the ports of units are published on this host."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from envctl.errors import EnvctlError, UsageError
from envctl.lazy_dataclass import dataclass
from envctl.plan.model import ProbeKind
from envctl.plan.state import UnitState
from envctl.plan.target import Target
from envctl.project import Project
from envctl.session import Session
from envctl.verbs.running_units import named_units, nothing_up, require_running


@dataclass(frozen=True, slots=True)
class PublishedPort:
    """A port of a unit, and the address on this host that leads to it."""

    unit: str
    port: int
    protocol: str
    address: str


def published_ports(
    project: Project, target: Target, *, unit: str = "", port: str = ""
) -> tuple[PublishedPort, ...]:
    """The published ports of a running unit, or of all units; only `port` ("8000" or "53/udp") if given."""
    session = Session.of_existing(project, target)
    observed = session.backend.observe()
    if not observed.units:
        raise nothing_up(session, f"{target.environment} is not up")
    names = sorted(named_units(session, observed, (unit,) if unit else ()))
    if unit and not any(observed.units[name].published for name in names):
        require_running(session, names[0] if names else unit)
    ports = tuple(row for name in names for row in _rows(observed.units[name]))
    return _only(ports, unit, port) if port else ports


def _rows(state: UnitState) -> Sequence[PublishedPort]:
    return [
        PublishedPort(state.name, int(number), protocol, address)
        for key, addresses in state.published.items()
        for number, _, protocol in [key.partition("/")]
        for address in addresses
    ]


def _only(ports: Sequence[PublishedPort], unit: str, port: str) -> tuple[PublishedPort, ...]:
    number, _, protocol = port.partition("/")
    if not number.isdecimal():
        raise UsageError(f"{port!r} is not a port", hint="write a number, or for instance 53/udp")
    key = (int(number), protocol or "tcp")
    chosen = tuple(row for row in ports if (row.port, row.protocol) == key)
    if not chosen:
        others = ", ".join(dict.fromkeys(f"{row.port}/{row.protocol}" for row in ports))
        raise EnvctlError(
            f"{unit} does not publish its port {key[0]}/{key[1]}",
            hint=f"it publishes {others}" if others else "add it to `ports` in the spec",
        )
    return chosen


def url_to_open(project: Project, target: Target, ports: Sequence[PublishedPort]) -> str:
    """The URL to open: that of the first HTTP health check, otherwise of the first port; "" if no port is published."""
    session = Session.of_existing(project, target)
    session.include_existing()
    plan = session.plan_or_none
    probes = {unit.name: unit.run.probe for unit in plan.units} if plan else {}
    for port in ports:
        probe = probes.get(port.unit)
        if probe is not None and probe.kind is ProbeKind.HTTP:
            url = urlsplit(probe.test[0])
            if port.port == (url.port or (443 if url.scheme == "https" else 80)):
                return f"{url.scheme}://{port.address}"
    for port in ports:
        if port.protocol == "tcp":
            return f"{'https' if port.port == 443 else 'http'}://{port.address}"
    return ""
