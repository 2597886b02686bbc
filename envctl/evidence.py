"""What is true of a target that is up: told, and held against what its spec says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from envctl.errors import EnvctlError, Place
from envctl.parity.accepting import Acceptance
from envctl.plan.model import Kind
from envctl.plan.progress import Progress, Stage
from envctl.plan.state import Status
from envctl.spec.canonical import Resolved
from envctl.spec.names import ROOT_FILE
from envctl.target import Opened

if TYPE_CHECKING:
    from envctl.parity.drift.verification import Verification
    from envctl.parity.facts import Facts


def facts(opened: Opened) -> Facts:
    """What is true inside the units that run. EnvctlError if none does."""
    from envctl.parity.collecting import collect

    states = opened.observe().units
    running = []
    for unit in opened.plan.units:
        if unit.name in states and states[unit.name].status is Status.RUNNING:
            running.append(unit)
        elif unit.kind is Kind.SERVICE:
            opened.report(Progress(unit.name, Stage.NOTE, "it does not run, and has no facts"))
    if not running:
        raise EnvctlError(
            f"nothing of {opened.target.environment} runs on {opened.backend.name}",
            hint=f"bring it up with `envctl up {opened.target}`",
        )
    opened.know_secrets()
    store = opened.store
    return collect(
        opened.plan, running, opened.backend, key=store.facts_key(), mask=store.masked_bytes
    )


def accepted(resolved: Resolved, facts: Facts) -> Sequence[Acceptance]:
    """What a spec accepts of differences that its own project's facts have."""
    if resolved.data["project"] != facts.project:
        return ()
    return [
        Acceptance(**entry, where=resolved.where("accept", index) or Place(ROOT_FILE, 1, 1))
        for index, entry in enumerate(resolved.data["accept"])
    ]


def verify(opened: Opened) -> Verification:
    """What is so, held against the spec; the spec's own checks, run inside."""
    from envctl.parity.drift import checks, looking, units
    from envctl.parity.drift.verification import Verification

    observed = opened.observe()
    plan, changes, store = opened.wanted, opened.changes(observed), opened.store
    states = {state.name: state for state in opened.asked(plan.units, observed)}
    claims = list(units.claims(plan, changes, states))
    name = opened.known_as
    names = [unit.name for unit in plan.units]
    if not opened.backend.capabilities.executes:
        return Verification(name, names, claims, on_paper=True)
    running = units.running(plan, states)
    secrets = {one.name for unit in plan.units for one in unit.run.secrets}
    digests = {one: store.facts_digest(one) for one in secrets}
    sight = looking.Sight(plan, opened.backend, running, store.facts_key(), digests, store)
    claims += sight.claims(units.looked_into(plan, changes, states))
    outcomes = list(checks.run(running, opened.backend, mask=store.masked, report=opened.report))
    return Verification(name, names, claims, outcomes)
