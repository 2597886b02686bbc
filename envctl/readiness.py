"""When a unit counts as ready, and when as failed. Pure: a verdict on what was observed."""

from __future__ import annotations

from enum import Enum

from envctl.plan.model import Kind, Probe, ProbeKind, Unit
from envctl.plan.state import Health, Status, UnitState

TASK_TIMEOUT = 3600.0
"""Seconds a task may run while `up` waits for it."""
MOST_RESTARTS = 3
"""So many restarts by the engine are a crash loop."""
PATIENCE = Probe(ProbeKind.COMMAND, ())
"""A unit without a probe has as long to run as one with the default probe."""


class Verdict(Enum):
    """What to do about a unit that is waited for."""

    WAIT = "wait"
    PROBE = "probe"
    READY = "ready"
    FAILED = "failed"


def judge(
    unit: Unit, state: UnitState | None, *, waited: float, changed: bool
) -> tuple[Verdict, str]:
    """The verdict and what to tell about it, `waited` seconds after the unit was started.

    A unit that was not `changed` may be healthy by the engine's word; one just started is probed.
    """
    if state is None:
        return Verdict.FAILED, "it is gone"
    if unit.kind is Kind.TASK:
        return _judge_task(state, waited)
    if state.status is Status.EXITED:
        return Verdict.FAILED, "it exited" + _ending(state)
    if state.restarts >= MOST_RESTARTS:
        return Verdict.FAILED, "it keeps exiting and being restarted" + _code(state)
    if state.status is not Status.RUNNING:
        allowed = allowance(unit.run.probe or PATIENCE)
        if waited > allowed:
            return Verdict.FAILED, f"it is still {state.status} after {allowed:g} s"
        return Verdict.WAIT, str(state.status)
    if unit.run.probe is None:
        return Verdict.READY, "running"
    if state.health is Health.HEALTHY and not changed:
        return Verdict.READY, "healthy"
    return Verdict.PROBE, "running"


def _judge_task(state: UnitState, waited: float) -> tuple[Verdict, str]:
    if state.status is Status.EXITED:
        if state.exit_code == 0:
            return Verdict.READY, "completed"
        return Verdict.FAILED, "the task ended" + _ending(state)
    if waited > TASK_TIMEOUT:
        return Verdict.FAILED, f"the task did not end within {TASK_TIMEOUT:g} s"
    return Verdict.WAIT, "running"


def _ending(state: UnitState) -> str:
    """With what, and why, as far as that is known."""
    code = "" if state.exit_code is None else f" with exit code {state.exit_code}"
    return code + (f": {state.cause}" if state.cause else "")


def _code(state: UnitState) -> str:
    return "" if state.exit_code is None else f" (exit code {state.exit_code})"


def allowance(probe: Probe) -> float:
    """Seconds after which a unit that is still not healthy has failed."""
    return probe.start_period + probe.retries * probe.interval
