"""`verify`: check that the running environment still matches the spec."""

from __future__ import annotations

from envctl.parity.drift import run_checks, unit_verifier, units
from envctl.parity.drift.verification import Verification
from envctl.plan.target import Target
from envctl.project import Project
from envctl.reconcile import synced_files
from envctl.reconcile.probe_states import probe_states
from envctl.session import Session
from envctl.verbs.running_units import lost_texts


def verify(project: Project, target: Target) -> Verification:
    """Compare the running units with the spec, and run the spec's checks inside them."""
    session = Session(project, target)
    session.include_existing()
    observed = session.observe()
    plan, changes, store = session.desired_plan, session.changes(observed), session.store
    probed = probe_states(session.backend, plan.units, observed, mask=store.masked)
    states = {state.name: state for state in probed}
    expectations = list(units.expectations(plan, changes, states))
    lost = () if observed.units else lost_texts(session)
    target_id = session.id
    names = [unit.name for unit in plan.units]
    if not session.backend.capabilities.executes:
        return Verification(target_id, names, expectations, lost=lost, simulated=True)
    running = units.running(plan, states)
    secrets = {secret.name for unit in plan.units for secret in unit.run.secrets}
    digests = {name: store.facts_digest(name) for name in secrets}
    unknown = frozenset(name for name in session.secrets.not_evaluated if not digests.get(name))
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
    synced = {
        name: len(known.synced)
        for name, known in synced_files.load(project.root, session.id).items()
        if known.synced and name in observed.units and observed.units[name].id == known.id
    }
    return Verification(target_id, names, expectations, outcomes, lost, synced=synced)
