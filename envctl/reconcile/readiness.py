"""Decides from the observed state whether a unit is ready or has failed. Pure."""

from __future__ import annotations

from enum import Enum

from envctl.plan.exit_state import ended_with, killed_text
from envctl.plan.model import Kind, Probe, ProbeKind, Unit
from envctl.plan.state import Health, Status, UnitState

TASK_TIMEOUT = 3600.0
"""Seconds a task may run while `up` waits for it."""
MOST_RESTARTS = 3
"""The number of restarts by the engine that counts as a crash loop."""
PATIENCE = Probe(ProbeKind.COMMAND, ())
"""The probe whose times apply to a unit without a probe."""


class Readiness(Enum):
    """What to do about a unit that is waited for."""

    WAIT = "wait"
    PROBE = "probe"
    READY = "ready"
    FAILED = "failed"


def judge(unit: Unit, state: UnitState | None, *, waited: float) -> tuple[Readiness, str]:
    """Return the verdict and its message, `waited` seconds after the unit was started."""
    if state is None:
        return Readiness.FAILED, "it is gone"
    if unit.kind is Kind.TASK:
        return _judge_task(state, waited)
    if state.status.is_over:
        return Readiness.FAILED, ended_text(state)
    if state.restarts >= MOST_RESTARTS:
        return Readiness.FAILED, _with_reason(
            "it keeps exiting and being restarted", ended_with(state), " (%s)"
        )
    if state.status is not Status.RUNNING or state.defect:
        # A unit that does not answer may be busy: that is not a failure.
        stands = state.defect or _with_reason(f"it is still {state.status}", state.cause, ": %s")
        allowed = allowance(unit.run.probe or PATIENCE)
        if state.status is Status.CREATED:
            # A busy machine starts the process late; the probe's times apply to the process.
            allowed = max(allowed, allowance(PATIENCE))
        if waited > allowed:
            return Readiness.FAILED, f"after {allowed:g} s {stands}"
        return Readiness.WAIT, stands
    if unit.run.probe is None:
        return Readiness.READY, "running"
    if state.health is Health.HEALTHY:
        return Readiness.READY, "healthy"
    return Readiness.PROBE, "running"


def _judge_task(state: UnitState, waited: float) -> tuple[Readiness, str]:
    if state.status.is_over:
        if state.status is Status.EXITED and state.exit_code == 0:
            return Readiness.READY, "completed"
        return Readiness.FAILED, ended_text(state, "the task")
    if waited > TASK_TIMEOUT:
        return Readiness.FAILED, f"the task did not end within {TASK_TIMEOUT:g} s"
    return Readiness.WAIT, "running"


def ended_text(state: UnitState, what: str = "it") -> str:
    """Return the message for a process that ended: its exit code, and the cause if known."""
    if state.status is Status.OOM_KILLED:
        return _with_reason(f"{what} was {killed_text(state)}", state.cause, ": %s")
    if state.status is Status.STOPPED:
        return f"{what} was stopped"
    verb = "exited" if what == "it" else "ended"
    preposition = ": %s" if state.exit_code is None else " with %s"
    return _with_reason(f"{what} {verb}", ended_with(state), preposition)


def _with_reason(text: str, more: str, form: str) -> str:
    return text + (form % more if more else "")


def allowance(probe: Probe) -> float:
    """Seconds after which a unit that is still not healthy has failed."""
    return probe.start_period + probe.retries * probe.interval
