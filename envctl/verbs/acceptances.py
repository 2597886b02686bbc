"""The differences that specs accept, and a check that they name existing units."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from envctl.definition.names import ROOT_FILE
from envctl.definition.problems import Problems, suggestion
from envctl.definition.resolved import Resolved
from envctl.errors import EnvctlError, Place, Problem
from envctl.host.safe_read import read_inside
from envctl.parity.accepted import Acceptance, matches
from envctl.plan.categories import UNITS
from envctl.project import Project

if TYPE_CHECKING:
    from envctl.parity.fact_format import Facts


def accepted(resolved: Resolved, facts: Facts) -> Sequence[Acceptance]:
    """The entries of a spec's `accept`; none if the facts belong to another project."""
    if resolved.data["project"] != facts.project:
        return ()
    return [
        Acceptance(**entry, where=resolved.where("accept", index) or Place(ROOT_FILE, 1, 1))
        for index, entry in enumerate(resolved.data["accept"])
    ]


def misnamed_acceptances(
    project: Project, environments: Iterable[str], *, also: Iterable[str] = ()
) -> Sequence[Problem]:
    """Entries of `accept` in these environments for unknown units, provided that all specs can be read."""
    try:
        specs = {name: project.resolved(name) for name in project.environments()}
    except EnvctlError:
        return ()
    return misnamed(specs, environments, also=also)


def misnamed(
    specs: Mapping[str, Resolved], environments: Iterable[str], *, also: Iterable[str] = ()
) -> Sequence[Problem]:
    """Entries of `accept` in these environments for units that no environment of the project has, nor `also`.

    A removed service may be accepted: facts that were saved from an earlier release may include it.
    """
    units = {*also, *(unit for resolved in specs.values() for unit in _units(resolved))}
    services = {name for resolved in specs.values() for name in resolved.data["services"]}
    problems = Problems()
    for resolved in (specs[name] for name in environments if name in specs):
        for file in resolved.files:
            problems.add_source(file, read_inside(resolved.root, file).decode("utf-8", "replace"))
        for index, entry in enumerate(resolved.data["accept"]):
            unit = entry["unit"]
            # The number of replicas may depend on a variable.
            patterns = {unit, re.sub(r"-[0-9]+\Z", "", unit)}
            known = any(matches(pattern, name) for pattern in patterns for name in units)
            if not known and entry["category"] != UNITS:
                where = resolved.where("accept", index, "unit") or Place(ROOT_FILE, 1, 1)
                message = f"accept.{index}.unit: no environment has a unit {unit!r}"
                problems.add(
                    (where.file, where.line, where.column), message, hint=suggestion(unit, services)
                )
    return problems.entries


def _units(resolved: Resolved) -> Iterator[str]:
    """The names of a spec's units. Always includes a second replica, because a pattern may name it."""
    for name, service in resolved.data["services"].items():
        yield name
        yield from (f"{name}-{number}" for number in range(2, max(service["replicas"], 2) + 1))
