"""`plan`: the plan of an environment, and what `up` would change."""

from __future__ import annotations

from envctl.plan.model import Plan
from envctl.plan.target import Target
from envctl.project import Project
from envctl.reconcile.volume_notes import backend_notes
from envctl.session import Session
from envctl.verbs.choose_ports import note_free_ports
from envctl.verbs.results import Decision
from envctl.verbs.running_units import tell_lost


def plan(project: Project, target: Target) -> Plan:
    """The plan of a target. Needs no engine, and reads no secrets."""
    return Session(project, target).plan


def decide(project: Project, target: Target) -> Decision:
    """The changes that `up` would make now, with notes."""
    session = Session(project, target)
    observed = session.observe()
    tell_lost(session, observed)
    note_free_ports(session)
    return Decision(
        session.desired_plan,
        session.changes(observed),
        backend_notes(session.backend, session.plan, observed),
        session.access.unapproved,
    )
