"""Compares the observed state with the plan, and decides what has to change. Pure: talks to no engine.

The rules, for each unit of the plan:

=============================================  ===========================================
the unit                                       change
=============================================  ===========================================
does not exist                                 CREATE
was made from another build or image           REPLACE
was made for another run                       REPLACE (RECONFIGURE if the backend can)
was not finished by an interrupted `up`        REPLACE
is a task that failed or was stopped           REPLACE (it runs again)
is a service that is stopped, paused or
unreachable                                    START
runs, but has lost something, such as a port   START (RESTART if it needs one)
has an `after_start` hook that is due          HOOK
differs in the engine from what envctl made    REPLACE (START if that repairs it)
is none of these                               none
=============================================  ===========================================

A unit takes a port or volume after another one has released it: see `plan.change_order`. A build is made only if its
image does not exist and a unit that is created or replaced needs it. Units that were removed from the spec are removed.
Only `down` removes volumes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from envctl.plan import hooks
from envctl.plan.build_causes import build_causes
from envctl.plan.change_order import in_order
from envctl.plan.changes import Action, Cause, Change, because
from envctl.plan.digest import run_text
from envctl.plan.model import NewVolume, Plan, ReadyImage, Unit
from envctl.plan.run_causes import changed_fields, place, run_causes
from envctl.plan.state import Observed, Status, UnitState
from envctl.plan.state_causes import pending_action
from envctl.plan.values import word_text
from envctl.reconcile.forced_changes import NOTHING_FORCED, Forced, with_forced

_MAKES = (Action.CREATE, Action.REPLACE)
_LIVING = (Status.RUNNING, Status.PAUSED, Status.STOPPED, Status.EXITED, Status.OOM_KILLED)
"""States in which a unit can be reconfigured."""
_NEVER_RAN = (Status.MISSING, Status.CREATED)


def compare(
    plan: Plan,
    observed: Observed,
    *,
    reconfigure: frozenset[str] = frozenset(),
    forced: Forced = NOTHING_FORCED,
) -> tuple[Change, ...]:
    """Return the changes that lead from `observed` to `plan`, in an order in which they can be applied.

    `reconfigure` are the fields of a run that the backend can change in a unit without replacing it; `forced` are
    changes that the user asks for.
    """
    removals = tuple(_removals(plan, observed))
    decided = (
        with_forced(
            unit,
            _unit_change(unit, observed, reconfigure=reconfigure),
            observed.units.get(unit.name),
            forced,
        )
        for unit in plan.units
    )
    units = [change for change in decided if change is not None]
    making = {change.unit for change in units if change.action in _MAKES}
    needed_builds = {change.key: change for change in builds(plan, making, observed)}
    by_digest = {
        change.target.digest: key
        for key, change in needed_builds.items()
        if change.target is not None and not isinstance(change.target, Unit)
    }
    planned = {unit.name: unit for unit in plan.units}
    changed: dict[str, list[str]] = {}
    for change in units:
        changed.setdefault(planned[change.unit].service, []).append(change.unit)
    freed = tuple(change.key for change in removals)
    ordered = [
        replace(
            change,
            needs=_needs(
                planned[change.unit], change, changed, by_digest, freed, observed=observed
            ),
        )
        for change in units
    ]
    known = {unit.name: unit for unit in plan.units}
    handed_over = in_order([*removals, *ordered], observed, known)
    return (
        *(change for change in handed_over if change.action is Action.REMOVE),
        *needed_builds.values(),
        *(change for change in handed_over if change.action is not Action.REMOVE),
    )


def down(
    observed: Observed, *, volumes: bool = False, plan: Plan | None = None
) -> tuple[Change, ...]:
    """Return the changes that take an environment down; with `volumes`, its data too.

    With a `plan`, dependents are removed before their dependencies.
    """
    removals = remove(observed, frozenset(observed.units), plan=plan)
    ends: list[Change] = []
    gone = tuple(change.key for change in removals)
    if volumes:
        ends += [
            Change(Action.DELETE_VOLUME, name, because("its data is deleted for good"), needs=gone)
            for name in sorted(observed.volumes)
        ]
    if removals or ends or observed.leftovers:
        needs = (*gone, *(change.key for change in ends))
        ends.append(Change(Action.TEAR_DOWN, "", because("no unit needs it any more"), needs=needs))
    return (*removals, *ends)


def remove(
    observed: Observed,
    units: frozenset[str],
    *,
    plan: Plan | None = None,
    cause: str = "the environment goes down",
) -> tuple[Change, ...]:
    """Return the changes that remove these units, dependents before their dependencies."""
    known = {unit.name: unit for unit in plan.units} if plan else {}
    names = [name for name in observed.units if name in units]
    return tuple(
        Change(
            Action.REMOVE,
            name,
            because(cause),
            target=known.get(name),
            needs=tuple(
                other for other in names if other in known and _depends(known[other], name, plan)
            ),
        )
        for name in names
    )


def stop(
    observed: Observed, *, plan: Plan | None = None, units: frozenset[str] | None = None
) -> tuple[Change, ...]:
    """Return the changes that stop every unit that runs or may run, dependents before their dependencies.

    With `units`, only these.
    """
    active = {
        name: unit
        for name, unit in observed.units.items()
        if not (unit.status.is_over or unit.status in _NEVER_RAN)
        and (units is None or name in units)
    }
    whole = units is None or units >= observed.units.keys()
    cause = "the environment is being stopped" if whole else "it is being stopped"
    known = {unit.name: unit for unit in plan.units} if plan else {}
    return tuple(
        Change(
            Action.STOP,
            name,
            because(cause),
            target=known.get(name),
            needs=tuple(
                f"{Action.STOP}:{other}"
                for other in active
                if other in known and _depends(known[other], name, plan)
            ),
        )
        for name in active
    )


def only(changes: Sequence[Change], units: frozenset[str]) -> tuple[Change, ...]:
    """Return the changes of these units and what those need. A unit is removed only if it has something that they take."""
    keys = {change.key: change for change in changes}
    chosen: set[str] = set()
    todo = [
        key
        for key, change in keys.items()
        if change.unit in units and key == change.unit and change.action is not Action.REMOVE
    ]
    while todo:
        key = todo.pop()
        if key in keys and key not in chosen:
            chosen.add(key)
            todo += (need for need in keys[key].needs if _is_needed(keys.get(need), key))
            if keys[key].action is Action.STOP:
                # A unit that is stopped for others is started again.
                todo.append(keys[key].unit)
    return tuple(
        replace(change, needs=tuple(need for need in change.needs if need in chosen))
        for key, change in keys.items()
        if key in chosen
    )


def _is_needed(change: Change | None, by: str) -> bool:
    """Whether another change needs this one, although the user did not ask for it."""
    return change is not None and (change.action is not Action.REMOVE or by in change.frees)


def _depends(unit: Unit, name: str, plan: Plan | None) -> bool:
    return plan is not None and any(
        name == other.name for service in unit.depends_on for other in plan.replicas(service)
    )


def _needs(
    unit: Unit,
    change: Change,
    changed: Mapping[str, Sequence[str]],
    build_keys: Mapping[str, str],
    freed: tuple[str, ...],
    *,
    observed: Observed,
) -> tuple[str, ...]:
    needs: list[str] = []
    if change.action in (*_MAKES, Action.RECONFIGURE):
        needs += freed
    if change.action in _MAKES:
        sources = (unit.source, *(new.source for new in _new_volumes(unit, observed)))
        digests = (source.digest for source in sources if not isinstance(source, ReadyImage))
        needs += [build_keys[digest] for digest in digests if digest in build_keys]
    needs += [name for service in unit.depends_on for name in changed.get(service, ())]
    return tuple(dict.fromkeys(needs))


def _new_volumes(unit: Unit, observed: Observed) -> Iterator[NewVolume]:
    """Yield the initial contents of the unit's volumes that do not exist yet."""
    for volume in unit.run.volumes:
        if volume.new is not None and volume.name not in observed.volumes:
            yield volume.new


def _removals(plan: Plan, observed: Observed) -> Iterator[Change]:
    names = {unit.name for unit in plan.units}
    services = {unit.service for unit in plan.units}
    for name, state in observed.units.items():
        if name not in names and state.service not in (*plan.left_out, *plan.inactive):
            cause = (
                f"{state.service} has fewer replicas now"
                if state.service in services
                else f"{state.service} was removed from the spec"
            )
            yield Change(Action.REMOVE, name, because(cause))


def builds(plan: Plan, units: Collection[str], observed: Observed) -> Iterator[Change]:
    """Yield the builds that these units need and that do not exist yet."""
    making = set(units)
    making |= {
        new.unit
        for unit in plan.units
        if unit.name in making
        for new in _new_volumes(unit, observed)
    }
    sharing: dict[str, list[Unit]] = {}
    for unit in plan.units:
        source = unit.source
        if isinstance(source, ReadyImage) or unit.name not in making:
            continue
        if source.digest not in observed.images:
            sharing.setdefault(source.digest, []).append(unit)
    for first, *others in sharing.values():
        assert not isinstance(first.source, ReadyImage)  # as seen above
        causes = (
            cause
            for unit in (first, *others)
            for cause in _build_causes(unit, observed.units.get(unit.name), observed)
        )
        yield Change(Action.BUILD, first.name, tuple(dict.fromkeys(causes)), first.source)


def _unit_change(unit: Unit, observed: Observed, *, reconfigure: frozenset[str]) -> Change | None:
    state = observed.units.get(unit.name)
    if state is None or state.status is Status.MISSING:
        return Change(Action.CREATE, unit.name, because("does not exist yet", unit.where), unit)
    if state.unfinished:
        cause = state.cause or "an earlier `up` of it did not finish"
        return Change(Action.REPLACE, unit.name, because(cause, unit.where), unit)
    sources, life = _source_causes(unit, state, observed), _life_change(unit, state)
    runs = run_causes(unit, state.run) if state.run != run_text(unit.run) else ()
    drift = tuple(Cause(drifted.text, place(unit, drifted.path)) for drifted in state.drift)
    # A platform is part of the image and of the run.
    causes = tuple(dict.fromkeys((*sources, *runs, *drift, *(life.causes if life else ()))))
    if sources or not all(drifted.in_place for drifted in state.drift):
        return Change(Action.REPLACE, unit.name, causes, unit)
    if runs:
        in_place = state.status in _LIVING and changed_fields(unit, state.run) <= reconfigure
        action = Action.RECONFIGURE if in_place else Action.REPLACE
        return Change(action, unit.name, causes, unit)
    if drift and (life is None or life.action is Action.HOOK):
        # After a start the hooks run as well.
        return Change(Action.START, unit.name, causes, unit)
    return replace(life, causes=causes) if life else None


def _life_change(unit: Unit, state: UnitState) -> Change | None:
    pending = pending_action(unit, state)
    if pending is None:
        return None
    action, text = pending
    where = hooks.place(unit, hooks.first_due(unit, state)) if action is Action.HOOK else unit.where
    return Change(action, unit.name, because(text, where), unit)


def _source_causes(unit: Unit, state: UnitState, observed: Observed) -> tuple[Cause, ...]:
    source = unit.source
    where = source.where or unit.where
    if isinstance(source, ReadyImage):
        if state.build or state.image != source.image:
            was = word_text(state.image) if state.image else "one that was built"
            return because(f"image {was} → {word_text(source.image)}", where)
        return because(f"{source.image} now names another image", where) if state.outdated else ()
    if state.build == source.digest:
        return because("its image was rebuilt since", where) if state.outdated else ()
    return _build_causes(unit, state, observed)


def _build_causes(unit: Unit, state: UnitState | None, observed: Observed) -> tuple[Cause, ...]:
    """Return how the build differs from the one that made the unit, as far as the old image records it."""
    source = unit.source
    where = source.where or unit.where
    if state is None or state.build == getattr(source, "digest", ""):
        return because("the image does not exist yet", where)
    if isinstance(source, ReadyImage):
        return ()
    recorded = observed.images.get(state.build, "")
    causes = build_causes(source, recorded, platform_at=place(unit, ("platform",)))
    return causes or because("its build changed", where)
