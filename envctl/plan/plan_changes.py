"""Plans that differ from another plan in a few values: the ports of the host, the digests of secrets. Pure."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import replace

from envctl.plan.model import Plan, Run, Unit
from envctl.plan.state import Observed


def with_free_ports(plan: Plan) -> Plan:
    """Return the plan with all ports of the host open, whatever the spec says."""

    def run(unit: Unit) -> Run:
        return replace(unit.run, ports=tuple(replace(port, host=0) for port in unit.run.ports))

    return replace(plan, units=tuple(replace(unit, run=run(unit)) for unit in plan.units))


def with_digests(plan: Plan, digests: Mapping[str, str]) -> Plan:
    """Return the plan with the keyed digests of its secrets' values, which tell whether one has changed."""

    def run(unit: Unit) -> Run:
        secrets = (
            replace(secret, digest=digests.get(secret.name, "")) for secret in unit.run.secrets
        )
        return replace(unit.run, secrets=tuple(secrets))

    units = (replace(unit, run=run(unit)) if unit.run.secrets else unit for unit in plan.units)
    return replace(plan, units=tuple(units))


def with_recorded_digests(plan: Plan, observed: Observed, names: Collection[str]) -> Plan:
    """Return the plan with the digests that units were made with, of these secrets: their values count as unchanged."""

    def run(unit: Unit) -> Run:
        known = _recorded_digests(observed, unit.name)
        secrets = (
            replace(secret, digest=known.get(secret.name, "")) if secret.name in names else secret
            for secret in unit.run.secrets
        )
        return replace(unit.run, secrets=tuple(secrets))

    return replace(plan, units=tuple(replace(unit, run=run(unit)) for unit in plan.units))


def _recorded_digests(observed: Observed, unit: str) -> Mapping[str, str]:
    state = observed.units.get(unit)
    try:
        run = json.loads(state.run) if state else {}
        return {str(secret["name"]): str(secret["digest"]) for secret in run["secrets"]}
    except (ValueError, KeyError, TypeError):
        return {}
