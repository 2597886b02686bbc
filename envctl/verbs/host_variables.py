"""`env`: variables that let programs on this host reach an environment. They contain no secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from envctl.plan.model import Plan, ProbeKind, Unit
from envctl.plan.state import Observed
from envctl.plan.target import Target
from envctl.planner.selection import select
from envctl.progress import Progress, Stage
from envctl.project import Project
from envctl.session import Session
from envctl.verbs.running_units import nothing_up


def host_variables(project: Project, target: Target, service: str = "") -> Mapping[str, str]:
    """WEB_HOST, WEB_PORT, WEB_PORT_8000 and WEB_URL of each unit that publishes ports.

    With a service, also that service's `env`, with this host's addresses in place of other services' names. Variables
    made of secrets are left out, which a note says.
    """
    session = Session(project, target, services=(service,) if service else ())
    session.include_existing()
    plan = session.plan
    unit = select(plan, (service,)).replicas(service)[0] if service else None
    observed = session.backend.observe()
    if not observed.units:
        raise nothing_up(session, f"{target.environment} is not up")
    variables = dict(_addresses(plan, observed))
    if unit is None:
        return variables
    if omitted := sorted(unit.run.process.secret_env):
        text = f"without {', '.join(omitted)}: made of secrets, which stay inside the environment"
        project.report(Progress(service, Stage.NOTE, text))
    return {**variables, **_environment(unit, plan, observed)}


def _addresses(plan: Plan, observed: Observed) -> Iterator[tuple[str, str]]:
    for unit in plan.units:
        published = _published(unit, observed)
        name = variable_name(unit.name)
        for index, (port, address) in enumerate(published.items()):
            host, _, number = address.rpartition(":")
            if not index:
                yield f"{name}_HOST", host
                yield f"{name}_PORT", number
            yield f"{name}_PORT_{port}", number
        if url := _url(unit, published):
            yield f"{name}_URL", url


def _published(unit: Unit, observed: Observed) -> dict[int, str]:
    """By TCP port of the unit, its first address on this host, in the order of the spec."""
    state = observed.units.get(unit.name)
    if state is None:
        return {}
    ports = (port.container for port in unit.run.ports if port.protocol == "tcp")
    return {
        port: state.published[f"{port}/tcp"][0]
        for port in ports
        if f"{port}/tcp" in state.published
    }


def _url(unit: Unit, published: Mapping[int, str]) -> str:
    """The URL of the port that the unit's health check reaches by HTTP; "" if that port is not published."""
    probe = unit.run.probe
    if probe is None or probe.kind is not ProbeKind.HTTP:
        return ""
    url = urlsplit(probe.test[0])
    port = url.port or (443 if url.scheme == "https" else 80)
    return f"{url.scheme}://{published[port]}" if port in published else ""


def variable_name(name: str) -> str:
    """A name in the form of a variable: API_V2 for api-v2."""
    upper = re.sub(r"[^A-Z0-9]", "_", name.upper())
    return f"_{upper}" if upper[:1].isdigit() else upper


def _environment(unit: Unit, plan: Plan, observed: Observed) -> dict[str, str]:
    """The environment variables of a unit, translated for a program on this host."""
    reachable: dict[str, dict[int, str]] = {}
    for other in plan.units:
        if published := _published(other, observed):
            for name in {other.name, other.service, *other.run.aliases}:
                reachable.setdefault(name, published)
    env = unit.run.process.env
    return {
        name: _translated_port(name, value, env, reachable) or _translated(value, reachable)
        for name, value in env.items()
    }


def _translated_port(
    name: str,
    value: str,
    env: Mapping[str, str],
    reachable: Mapping[str, Mapping[int, str]],
) -> str:
    """This host's port if the value is a DB_PORT that belongs to a service in DB_HOST; otherwise ""."""
    prefix = name.removesuffix("PORT")
    published = reachable.get(env.get(f"{prefix}HOST", ""), {}) if prefix != name else {}
    address = published.get(int(value)) if value.isdecimal() else None
    return address.rpartition(":")[2] if address else ""


def _translated(value: str, reachable: Mapping[str, Mapping[int, str]]) -> str:
    """The value with this host's address in place of a service: alone, with a port, or in a URL."""
    for name, published in reachable.items():
        pattern = (
            rf"\A((?:[a-z][a-z0-9+.-]*://(?:[^/@\s]*@)?)?){re.escape(name)}(?::(\d+))?((?:/.*)?)\Z"
        )
        if match := re.match(pattern, value, re.DOTALL):
            before, port, after = match[1], match[2], match[3]
            address = published.get(int(port)) if port else next(iter(published.values()))
            if address is None or (after and not before):
                return value
            shown = address if port else _without_port(address, before)
            return f"{before}{shown}{after}"
    return value


def _without_port(address: str, before: str) -> str:
    """The address for a name without a port. In a URL the port stays, because this host rarely uses the default port."""
    return address if before else address.rpartition(":")[0]
