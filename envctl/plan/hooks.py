"""Which after_start hooks of a unit have run. Pure.

They are an ordered list, as a build's steps are: a hook counts as run if it and all before it are the ones that
have run since envctl started the unit. The first that has not, and all after it, are due.
"""

from __future__ import annotations

from envctl.plan.digest import digest
from envctl.plan.model import Unit
from envctl.plan.state import UnitState
from envctl.plan.text import argv_text


def digests(unit: Unit) -> tuple[str, ...]:
    """What each after_start hook is noted as when it has run: a digest of it and of all before it."""
    found: list[str] = []
    for argv in unit.hooks.after_start:
        found.append(digest([found[-1] if found else "", argv]))
    return tuple(found)


def first_due(unit: Unit, state: UnitState) -> int:
    """The index of the first hook that has not run; the number of hooks if all have."""
    known = digests(unit)
    return next((index for index, one in enumerate(known) if one not in state.hooks), len(known))


def cause(unit: Unit, state: UnitState) -> str:
    """Why hooks have to run, in words; "" if none has to."""
    index = first_due(unit, state)
    hooks = unit.hooks.after_start
    if index == len(hooks):
        return ""
    changed = "hooks changed: " if set(state.hooks) - set(digests(unit)) else ""
    return f"{changed}after_start hook {index + 1} has not run: {argv_text(hooks[index])}"
