"""What has to change so that what is there becomes what is wanted. Pure: talks to nothing.

The rules, for each unit of the plan:

======================================  =====================================
observed                                change
======================================  =====================================
missing                                 CREATE
made from another build or image        REPLACE
made for another run                    REPLACE (RECONFIGURE where the backend can)
a task that failed                      REPLACE (it runs again)
a service that is not running           START
anything else                           none
======================================  =====================================

A build is made only if a unit that has to be made needs it and it is not at hand. Units that are
not in the plan are removed. Volumes are never touched here, see `down`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from envctl.errors import Place
from envctl.plan.changes import Action, Change
from envctl.plan.digest import run_text
from envctl.plan.model import Build, Kind, Plan, ReadyImage, Unit
from envctl.plan.state import Observed, Status, UnitState
from envctl.plan.text import shown, steps_text

_MAKES = (Action.CREATE, Action.REPLACE)
_LIVING = (Status.RUNNING, Status.EXITED)
"""Where a unit is there to be reconfigured."""
_SHOWN_LENGTH = 60


def compare(
    plan: Plan, observed: Observed, *, reconfigure: frozenset[str] = frozenset()
) -> tuple[Change, ...]:
    """The changes that lead from `observed` to `plan`, in an order they can be done in.

    `reconfigure` are the fields of a run that the backend can change in a unit without replacing it.
    """
    removals = tuple(_removals(plan, observed))
    units = [
        change
        for unit in plan.units
        if (change := _unit_change(unit, observed, reconfigure=reconfigure)) is not None
    ]
    builds = {change.key: change for change in _builds(plan, units, observed)}
    by_digest = {
        change.target.digest: key
        for key, change in builds.items()
        if change.target is not None and not isinstance(change.target, Unit)
    }
    changed = {change.unit: plan.unit(change.unit).service for change in units}
    freed = tuple(change.key for change in removals)
    ordered = [
        replace(change, needs=_needs(plan.unit(change.unit), change, changed, by_digest, freed))
        for change in units
    ]
    return (*removals, *builds.values(), *ordered)


def down(
    observed: Observed, *, volumes: bool = False, plan: Plan | None = None
) -> tuple[Change, ...]:
    """The changes that take an environment down; with `volumes`, its data too.

    With the plan at hand dependents go before what they depend on.
    """
    known = {unit.name: unit for unit in plan.units} if plan else {}
    removals = [
        Change(
            Action.REMOVE,
            name,
            "the environment goes down",
            target=known.get(name),
            needs=tuple(
                other
                for other in observed.units
                if other in known and _depends(known[other], name, plan)
            ),
        )
        for name in observed.units
    ]
    ends: list[Change] = []
    gone = tuple(change.key for change in removals)
    if volumes:
        ends += [
            Change(Action.DISCARD, name, "its data is to go", needs=gone)
            for name in sorted(observed.volumes)
        ]
    if removals or ends or observed.leftovers:
        needs = (*gone, *(change.key for change in ends))
        ends.append(Change(Action.DISMANTLE, "", "nothing of it is left", needs=needs))
    return (*removals, *ends)


def stop(observed: Observed, *, plan: Plan | None = None) -> tuple[Change, ...]:
    """The changes that stop every running unit, dependents before what they depend on."""
    active = {
        name: unit
        for name, unit in observed.units.items()
        if unit.status in (Status.RUNNING, Status.RESTARTING, Status.PAUSED)
    }
    known = {unit.name: unit for unit in plan.units} if plan else {}
    return tuple(
        Change(
            Action.STOP,
            name,
            "the environment is to stop",
            target=known.get(name),
            needs=tuple(
                other for other in active if other in known and _depends(known[other], name, plan)
            ),
        )
        for name in active
    )


def only(changes: Sequence[Change], units: frozenset[str]) -> tuple[Change, ...]:
    """The changes of these units, and whatever they need; nothing is removed."""
    keys = {change.key: change for change in changes if change.action is not Action.REMOVE}
    wanted: set[str] = set()
    todo = [key for key, change in keys.items() if change.unit in units and key == change.unit]
    while todo:
        key = todo.pop()
        if key in keys and key not in wanted:
            wanted.add(key)
            todo.extend(keys[key].needs)
    return tuple(
        replace(change, needs=tuple(need for need in change.needs if need in wanted))
        for key, change in keys.items()
        if key in wanted
    )


def _depends(unit: Unit, name: str, plan: Plan | None) -> bool:
    return plan is not None and any(
        name == other.name for service in unit.depends_on for other in plan.replicas(service)
    )


def _needs(
    unit: Unit,
    change: Change,
    changed: Mapping[str, str],
    builds: Mapping[str, str],
    freed: tuple[str, ...],
) -> tuple[str, ...]:
    found: list[str] = []
    if change.action in (*_MAKES, Action.RECONFIGURE):
        found += freed
    source = unit.source
    if change.action in _MAKES and not isinstance(source, ReadyImage) and source.digest in builds:
        found.append(builds[source.digest])
    found += [name for name, service in changed.items() if service in unit.depends_on]
    return tuple(dict.fromkeys(found))


def _removals(plan: Plan, observed: Observed) -> Iterator[Change]:
    names = {unit.name for unit in plan.units}
    services = {unit.service for unit in plan.units}
    for name, state in observed.units.items():
        if name not in names:
            cause = (
                f"{state.service} has fewer replicas now"
                if state.service in services
                else f"{state.service} is in the spec no more"
            )
            yield Change(Action.REMOVE, name, cause)


def _builds(plan: Plan, units: Sequence[Change], observed: Observed) -> Iterator[Change]:
    making = {change.unit for change in units if change.action in _MAKES}
    seen: set[str] = set()
    for unit in plan.units:
        source = unit.source
        if isinstance(source, ReadyImage) or unit.name not in making:
            continue
        if source.digest in observed.images or source.digest in seen:
            continue
        seen.add(source.digest)
        state = observed.units.get(unit.name)
        cause, where = _build_cause(unit, state, observed)
        yield Change(Action.BUILD, unit.name, cause, where, source)


def _unit_change(unit: Unit, observed: Observed, *, reconfigure: frozenset[str]) -> Change | None:
    state = observed.units.get(unit.name)
    if state is None or state.status is Status.MISSING:
        return Change(Action.CREATE, unit.name, "it is not there", unit.where, unit)
    other = _source_cause(unit, state, observed)
    if other is not None:
        return Change(Action.REPLACE, unit.name, *other, unit)
    if state.run != run_text(unit.run):
        cause, where = _run_cause(unit, state)
        in_place = state.status in _LIVING and _changed_fields(unit, state) <= reconfigure
        action = Action.RECONFIGURE if in_place else Action.REPLACE
        return Change(action, unit.name, cause, where, unit)
    return _life_change(unit, state)


def _life_change(unit: Unit, state: UnitState) -> Change | None:
    if unit.kind is Kind.TASK:
        if state.status is Status.EXITED and state.exit_code != 0:
            cause = f"it failed last time (exit code {state.exit_code})"
            return Change(Action.REPLACE, unit.name, cause, unit.where, unit)
        if state.status is Status.CREATED:
            return Change(Action.START, unit.name, "it never ran", unit.where, unit)
        if state.status is Status.PAUSED:
            return Change(Action.START, unit.name, "it is only paused", unit.where, unit)
        return None
    if state.status is Status.EXITED:
        code = "" if state.exit_code is None else f" (exit code {state.exit_code})"
        return Change(Action.START, unit.name, f"it is not running{code}", unit.where, unit)
    if state.status in (Status.CREATED, Status.PAUSED):
        return Change(Action.START, unit.name, f"it is only {state.status}", unit.where, unit)
    return None


def _source_cause(
    unit: Unit, state: UnitState, observed: Observed
) -> tuple[str, Place | None] | None:
    source = unit.source
    if isinstance(source, ReadyImage):
        if not state.build and state.image == source.image:
            cause = f"{source.image} is another image now"
            return (cause, source.where or unit.where) if state.outdated else None
        return f"image {shown(state.image)} → {shown(source.image)}", source.where or unit.where
    if state.build == source.digest:
        where = source.where or unit.where
        return ("its image was made anew since", where) if state.outdated else None
    return _build_cause(unit, state, observed)


def _build_cause(
    unit: Unit, state: UnitState | None, observed: Observed
) -> tuple[str, Place | None]:
    """Which step of the build is another now, as far as the old image still tells."""
    source = unit.source
    if state is None or state.build == getattr(source, "digest", ""):
        return "the image is not there", source.where or unit.where
    if not isinstance(source, Build) or state.build not in observed.images:
        return "its build is another", source.where or unit.where
    try:
        old = [step["digest"] for step in json.loads(observed.images[state.build])]
    except (ValueError, TypeError, KeyError):
        return "its build is another", source.where or unit.where
    new = json.loads(steps_text(source.steps))
    for index, step in enumerate(new):
        if step["digest"] not in old:
            where = source.steps[index].where or source.where or unit.where
            return f"build step changed: {step['text']}", where
    if [step["digest"] for step in new] == old:
        return "its base, or a template of the project, is another", source.where or unit.where
    return "a build step is gone or moved", source.where or unit.where


def _changed_fields(unit: Unit, state: UnitState) -> set[str]:
    """The fields of the run that differ; an unreadable one differs in all."""
    try:
        old = json.loads(state.run)
    except ValueError:
        return {"everything"}
    new = json.loads(run_text(unit.run))
    return {path[0] for path, _, _ in _differences(old, new, ())}


def _run_cause(unit: Unit, state: UnitState) -> tuple[str, Place | None]:
    try:
        old = json.loads(state.run)
    except ValueError:
        return "it was made for another run", unit.where
    new = json.loads(run_text(unit.run))
    differences = list(_differences(old, new, ()))
    if not differences:
        return "it was made for another run", unit.where
    text = ", ".join(_difference_text(*difference) for difference in differences)
    return text, _place(unit, differences[0][0])


def _differences(
    old: Any, new: Any, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            if old.get(key) != new.get(key):
                yield from _differences(old.get(key), new.get(key), (*path, key))
    else:
        yield path, old, new


def _difference_text(path: tuple[str, ...], old: Any, new: Any) -> str:
    if path[0] == "secrets":
        return _secrets_text(old, new)
    if path[0] == "ports":
        return f"ports {_ports_text(old)} → {_ports_text(new)}"
    name = " ".join(path[1:] if path[0] == "process" else path)
    return f"{name} {_brief(old)} → {_brief(new)}"


def _secrets_text(old: Any, new: Any) -> str:
    before = {item["name"]: item for item in old or ()}
    after = {item["name"]: item for item in new or ()}
    changed = [
        f"secret {name} "
        + ("added" if name not in before else "removed" if name not in after else "changed")
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]
    return ", ".join(changed) or "the order of secrets"


def _ports_text(ports: Any) -> str:
    texts = (
        f"{port['address']}:{port['host'] or 'any'}:{port['container']}/{port['protocol']}"
        for port in ports or ()
    )
    return ", ".join(texts) or "none"


def _brief(value: Any) -> str:
    if value is None:
        return "unset"
    if isinstance(value, dict):
        value = {key: item for key, item in value.items() if key != "is"}
    if isinstance(value, list):
        value = [
            {key: part for key, part in item.items() if key != "is"}
            if isinstance(item, dict)
            else item
            for item in value
        ]
    text = shown(value)
    return text if len(text) <= _SHOWN_LENGTH else text[: _SHOWN_LENGTH - 1] + "…"


def _place(unit: Unit, path: tuple[str, ...]) -> Place | None:
    for end in range(len(path), 0, -1):
        if (place := unit.origins.get(".".join(path[:end]))) is not None:
            return place
    return unit.where
