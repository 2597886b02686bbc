"""`facts`: collect the facts inside running units."""

from __future__ import annotations

from envctl.errors import EnvctlError
from envctl.parity.collect import collect
from envctl.parity.fact_format import Facts
from envctl.parity.port_values import with_port_references
from envctl.plan.model import Kind
from envctl.plan.state import Status, UnitState
from envctl.plan.target import DEFAULT_BACKEND, Target
from envctl.progress import Progress, Stage
from envctl.project import Project
from envctl.session import Session
from envctl.verbs.running_units import nothing_up


def facts(project: Project, target: Target) -> Facts:
    """The facts of a target's units; for a service that is not running, the reason. EnvctlError if nothing is up."""
    session = Session(project, target)
    if not session.backend.capabilities.executes:
        raise EnvctlError(
            f"{session.id} is simulated, so it has no facts",
            hint=f"use another backend: {session.target.environment}@{DEFAULT_BACKEND}",
        )
    session.include_existing()
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
        brief = f"{session.target.environment} is not running on {session.backend.name}"
        raise nothing_up(session, brief)
    session.access.use_what_is_approved()
    session.secrets.look_up()
    store = session.store
    collected = collect(
        session.plan,
        running,
        session.backend,
        idle=idle,
        key=store.facts_key(),
        mask=store.masked_bytes,
    )
    return with_port_references(collected, session.plan, session.spec_plan)


def _no_facts(state: UnitState | None) -> str:
    if state is None:
        return "it does not exist: it has no facts"
    code = f" (exit code {state.exit_code})" if state.exit_code is not None else ""
    return f"{state.status}{code}: no facts"
