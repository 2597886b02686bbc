"""Decides what a unit that matches the plan still needs to be in the right state. Pure."""

from __future__ import annotations

from envctl.plan import hooks
from envctl.plan.changes import Action
from envctl.plan.exit_state import ended_with, killed_text
from envctl.plan.model import Kind, Unit
from envctl.plan.state import Status, UnitState


def pending_action(unit: Unit, state: UnitState) -> tuple[Action, str] | None:
    """Return the necessary action and its cause in words; None if nothing is necessary."""
    if unit.kind is Kind.TASK and state.status.is_over:
        return _of_ended_task(state)
    text = _not_running(unit, state)
    if text:
        return Action.START, text
    if state.defect:
        return Action.RESTART if state.needs_restart else Action.START, state.defect
    if state.status is Status.RUNNING and (text := hooks.cause(unit, state)):
        return Action.HOOK, text
    return None


def _of_ended_task(state: UnitState) -> tuple[Action, str] | None:
    if state.status is Status.STOPPED:
        return Action.REPLACE, "it was stopped before it had completed"
    if state.exit_code is None and state.status is Status.EXITED:
        return Action.REPLACE, _with_reason("how it ended is unknown", state.cause)
    if state.exit_code == 0 and state.status is Status.EXITED:
        return None
    return Action.REPLACE, f"it failed last time ({ended_with(state)})"


def _not_running(unit: Unit, state: UnitState) -> str:
    """Describe why its process does not run, or may not run; "" if it runs, or the engine is about to start it."""
    match state.status:
        case Status.CREATED:
            return "it never ran" if unit.kind is Kind.TASK else "it was never started"
        case Status.PAUSED:
            return _with_reason("it is paused", state.cause)
        case Status.STOPPED:
            return "it is stopped"
        case Status.EXITED:
            end = ended_with(state)
            return "it is not running" + (f" ({end})" if end else "")
        case Status.OOM_KILLED:
            return f"it was {killed_text(state)}"
        case Status.UNREACHABLE:
            return _with_reason("it is unreachable", state.cause)
        case Status.UNKNOWN:
            return _with_reason("its state is unknown", state.cause)
        case _:
            return ""


def _with_reason(text: str, cause: str) -> str:
    return f"{text}: {cause}" if cause else text
