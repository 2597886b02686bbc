"""Inspects the containers of a plan: the engine's record of each, and its mounts as seen from the inside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from envctl.backends.base import Execution
from envctl.backends.common import stale_mounts
from envctl.backends.common.capped import CappedBuffer
from envctl.backends.common.parallel import all_at_once
from envctl.backends.docker import record
from envctl.backends.docker.engine import Engine
from envctl.backends.docker.engine_errors import NotFoundError
from envctl.backends.docker.engine_probe_log import last_result
from envctl.backends.docker.names import Names
from envctl.errors import EnvctlError
from envctl.plan.digest import is_same_run
from envctl.plan.model import Kind, Plan, Unit
from envctl.plan.state import Health, Observed, Status, UnitState

_TIMEOUT: Final = 20.0
"""How many seconds a container may take to report its mounts."""
_MOST: Final = 1 << 20
"""The maximum size of that report, in bytes."""


def look_closer(
    engine: Engine, names: Names, plan: Plan, states: Mapping[str, UnitState]
) -> dict[str, UnitState]:
    """The states, with drift for the plan's units: changes since their creation that envctl did not make."""
    pairs = [
        (unit, states[unit.name])
        for unit in plan.units
        # A unit with another run digest is replaced anyway; a finished task does not run again because of drift.
        if unit.name in states
        and is_same_run(states[unit.name].run, unit.run)
        and not (unit.kind is Kind.TASK and states[unit.name].status.is_over)
    ]
    inspected = all_at_once(lambda pair: _closer(engine, names, *pair), pairs)
    return {**states, **{state.name: state for state in inspected}}


def _closer(engine: Engine, names: Names, unit: Unit, state: UnitState) -> UnitState:
    details = inspect(engine, state.id)
    if details is None:
        return state
    drift = record.drift(unit, names, details)
    if state.status is not Status.RUNNING or not unit.run.mounts:
        return replace(state, drift=drift)
    inside = _inside(engine, unit, state.id)
    replaced = tuple(stale_mounts.drift(unit.run.mounts, inside))
    unchecked = tuple(stale_mounts.unchecked(unit.run.mounts, inside))
    return replace(state, drift=(*drift, *replaced), unchecked=unchecked)


def without_old_health(engine: Engine, observed: Observed, resumed: Mapping[str, str]) -> Observed:
    """The state without the health of containers that this run resumed, until the engine has probed them again.

    `resumed` has, by container, the start of the last check before the pause. The engine does not check a paused
    container, and still shows its earlier health.
    """
    units = dict(observed.units)
    for name, unit in units.items():
        mark = resumed.get(unit.id)
        if mark is None or unit.health not in (Health.HEALTHY, Health.UNHEALTHY):
            continue
        details = inspect(engine, unit.id)
        if details is not None and last_result(details["State"], after=mark) is None:
            units[name] = replace(unit, health=Health.STARTING, cause="")
    return replace(observed, units=units)


def inspect(engine: Engine, container: str) -> Mapping[str, Any] | None:
    """The engine's details of a container; None if it was removed meanwhile."""
    with engine.doing("look at a container") as api:
        try:
            return api.inspect_container(container)
        except NotFoundError:
            return None


def _inside(engine: Engine, unit: Unit, container: str) -> Mapping[str, stale_mounts.FileStat]:
    """The mounts as a process inside sees them; empty for an image without a shell."""
    from envctl.backends.docker.streams import execute

    targets = [mount.target for mount in unit.run.mounts]
    output = CappedBuffer(_MOST)
    argv = ("/bin/sh", "-c", stale_mounts.SCRIPT, "sh", *targets)
    execution = Execution(argv, user="0", workdir="/", stdout=output, timeout=_TIMEOUT)
    try:
        execute(engine, unit.name, container, execution)
    except EnvctlError:
        return {}
    return stale_mounts.parse(targets, output.text)
