"""Which after_start hooks of a unit have succeeded. Pure.

They are an ordered list, as a build's steps are: a hook counts as done if it and all before it are the ones that
have succeeded since envctl started the unit. The first that has not, because it failed or never ran, and all after it,
are due.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from envctl.errors import Place
from envctl.plan.digest import digest
from envctl.plan.model import Plan, Unit
from envctl.plan.state import UnitState
from envctl.plan.text import argv_text


def digests(unit: Unit) -> tuple[str, ...]:
    """Return the digest under which each after_start hook is recorded: a hash of it and of all before it."""
    hook_digests: list[str] = []
    for argv in unit.hooks.after_start:
        hook_digests.append(digest([hook_digests[-1] if hook_digests else "", argv]))
    return tuple(hook_digests)


def first_due(unit: Unit, state: UnitState) -> int:
    """Return the index of the first hook that has not succeeded; the number of hooks if all have."""
    known = digests(unit)
    return next((index for index, name in enumerate(known) if name not in state.hooks), len(known))


def place(unit: Unit, index: int) -> Place | None:
    """Return the place in the spec of an after_start hook, or the nearest one around it."""
    return unit.origins.get(_path(index)) or unit.where


def with_places(plan: Plan, where: Callable[[str, int], Place | None]) -> Plan:
    """Return the plan, its units with the places of their after_start hooks, by service and index."""
    return replace(plan, units=tuple(_with_places(unit, where) for unit in plan.units))


def _with_places(unit: Unit, where: Callable[[str, int], Place | None]) -> Unit:
    places = {
        _path(index): spot
        for index in range(len(unit.hooks.after_start))
        if (spot := where(unit.service, index))
    }
    return replace(unit, origins={**unit.origins, **places}) if places else unit


def _path(index: int) -> str:
    return f"hooks.after_start.{index}"


def cause(unit: Unit, state: UnitState) -> str:
    """Describe why hooks have to run; "" if none has to."""
    index = first_due(unit, state)
    hooks = unit.hooks.after_start
    if index == len(hooks):
        return ""
    changed = "hooks changed: " if set(state.hooks) - set(digests(unit)) else ""
    return f"{changed}after_start hook {index + 1} has not succeeded: {argv_text(hooks[index])}"
