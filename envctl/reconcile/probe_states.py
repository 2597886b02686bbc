"""The current states of units, with envctl's own probe for those that the engine has not found healthy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from envctl.backends.common.parallel import all_at_once
from envctl.errors import EnvctlError

if TYPE_CHECKING:
    from envctl.backends.base import Backend
    from envctl.plan.model import Unit
    from envctl.plan.state import Observed, UnitState


def probe_states(
    backend: Backend, units: Sequence[Unit], observed: Observed, *, mask: Callable[[str], str]
) -> list[UnitState]:
    """Return the units' states; where the engine has not found a unit healthy, envctl's probe runs once.

    The engine's result is as old as its last probe. `up` uses envctl's own probe, and so do all other commands.
    """
    return all_at_once(lambda unit: _probe_state(backend, unit, observed, mask), units)


def _probe_state(
    backend: Backend, unit: Unit, observed: Observed, mask: Callable[[str], str]
) -> UnitState:
    from envctl.plan.state import Health, Status, UnitState

    missing = UnitState(unit.name, unit.service, Status.MISSING, replica=unit.replica)
    state = observed.units.get(unit.name, missing)
    unproven = state.health in (Health.STARTING, Health.UNHEALTHY)
    if not (unproven and state.status is Status.RUNNING and unit.run.probe):
        return state
    try:
        healthy, message = backend.probe(unit)
    except EnvctlError as error:
        # It may have ended since it was observed.
        healthy, message = False, error.brief
    if healthy:
        return replace(state, health=Health.HEALTHY, cause="")
    if state.health is Health.UNHEALTHY and state.cause:
        return state
    return replace(state, cause=mask(message).strip().partition("\n")[0])
