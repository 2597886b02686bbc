"""What is true of a target that is up: told, and held against what its spec says."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from envctl.definition.names import ROOT_FILE
from envctl.definition.problems import Problems, near
from envctl.definition.resolved import Resolved
from envctl.errors import EnvctlError, Place, Problem
from envctl.host.safe_read import read_inside
from envctl.parity.accepted import Acceptance, matches
from envctl.plan.categories import UNITS
from envctl.plan.model import Kind
from envctl.plan.state import Status, UnitState
from envctl.plan.target import DEFAULT_BACKEND
from envctl.progress import Progress, Stage
from envctl.session import Session
from envctl.verbs.running_units import lost_texts, nothing_up

if TYPE_CHECKING:
    from envctl.parity.drift.verification import Verification
    from envctl.parity.facts import Facts


def facts(session: Session) -> Facts:
    """What is true inside the units; of a service that does not run, why it has no facts. EnvctlError if nothing is there."""
    from envctl.parity.collect import collect

    if not session.backend.capabilities.executes:
        raise EnvctlError(
            f"{session.id} is on paper only: it has no facts",
            hint=f"another backend has: {session.target.environment}@{DEFAULT_BACKEND}",
        )
    states = session.observe().units
    services = [unit for unit in session.plan.units if unit.kind is Kind.SERVICE]
    running, idle = [], {}
    for unit in session.plan.units:
        state = states.get(unit.name)
        if state is not None and state.status is Status.RUNNING:
            running.append(unit)
        elif unit.kind is Kind.SERVICE:
            idle[unit.name] = _no_facts(state)
            session.report(Progress(unit.name, Stage.NOTE, idle[unit.name]))
    if not running and not any(unit.name in states for unit in services):
        brief = f"nothing of {session.target.environment} runs on {session.backend.name}"
        raise nothing_up(session, brief)
    session.use_what_is_approved()
    session.know_secrets()
    store = session.store
    return collect(
        session.plan,
        running,
        session.backend,
        idle=idle,
        key=store.facts_key(),
        mask=store.masked_bytes,
    )


def _no_facts(state: UnitState | None) -> str:
    if state is None:
        return "it is not there: no facts"
    code = f" (exit code {state.exit_code})" if state.exit_code is not None else ""
    return f"{state.status}{code}: no facts"


def accepted(resolved: Resolved, facts: Facts) -> Sequence[Acceptance]:
    """What a spec accepts of differences that its own project's facts have."""
    if resolved.data["project"] != facts.project:
        return ()
    return [
        Acceptance(**entry, where=resolved.where("accept", index) or Place(ROOT_FILE, 1, 1))
        for index, entry in enumerate(resolved.data["accept"])
    ]


def misnamed(
    specs: Mapping[str, Resolved], environments: Iterable[str], *, also: Iterable[str] = ()
) -> Sequence[Problem]:
    """Entries of `accept` of these environments for units that neither any of the project's has, nor `also`.

    That a service is gone may be accepted when it is: what was kept of a release may have it.
    """
    units = {*also, *(unit for one in specs.values() for unit in _units(one))}
    services = {name for one in specs.values() for name in one.data["services"]}
    found = Problems()
    for resolved in (specs[name] for name in environments if name in specs):
        for file in resolved.files:
            found.text(file, read_inside(resolved.root, file).decode("utf-8", "replace"))
        for index, entry in enumerate(resolved.data["accept"]):
            unit = entry["unit"]
            # How many replicas there are may depend on a variable.
            patterns = {unit, re.sub(r"-[0-9]+\Z", "", unit)}
            known = any(matches(pattern, one) for pattern in patterns for one in units)
            if not known and entry["category"] != UNITS:
                where = resolved.where("accept", index, "unit") or Place(ROOT_FILE, 1, 1)
                message = f"accept.{index}.unit: no environment has a unit {unit!r}"
                found.add(
                    (where.file, where.line, where.column), message, hint=near(unit, services)
                )
    return found.found


def _units(resolved: Resolved) -> Iterator[str]:
    """The names that units of a spec have; of a second replica always, that a pattern may be for it."""
    for name, service in resolved.data["services"].items():
        yield name
        yield from (f"{name}-{number}" for number in range(2, max(service["replicas"], 2) + 1))


def verify(session: Session) -> Verification:
    """What is so, held against the spec; the spec's own checks, run inside."""
    from envctl.parity.drift import run_checks, unit_verifier, units
    from envctl.parity.drift.verification import Verification

    observed = session.observe()
    plan, changes, store = session.desired_plan, session.changes(observed), session.store
    states = {state.name: state for state in session.probe_states(plan.units, observed)}
    expectations = list(units.expectations(plan, changes, states))
    lost = () if observed.units else lost_texts(session)
    name = session.id
    names = [unit.name for unit in plan.units]
    if not session.backend.capabilities.executes:
        return Verification(name, names, expectations, lost=lost, simulated=True)
    running = units.running(plan, states)
    secrets = {one.name for unit in plan.units for one in unit.run.secrets}
    digests = {one: store.facts_digest(one) for one in secrets}
    unknown = frozenset(one for one in session.not_evaluated if not digests.get(one))
    verifier = unit_verifier.UnitVerifier(
        plan, session.backend, running, store.facts_key(), digests, store, unknown
    )
    expectations += verifier.expectations(
        {unit.name: units.not_looked_into(unit, changes, states) for unit in plan.units}
    )
    outcomes = list(
        run_checks.run(running, session.backend, mask=store.masked, report=session.report)
    )
    outcomes += run_checks.not_run(unit for unit in plan.units if unit not in running)
    return Verification(name, names, expectations, outcomes, lost)
