"""From the resolved spec to the plan: defaults, ordering, names, and layers that builds share."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from envctl import files
from envctl.definition.resolved import Resolved
from envctl.errors import Place, Problem, SpecError
from envctl.host.checkout_id import home_of
from envctl.host.links import followed, ignores_case
from envctl.host.private_state import hidden_below, is_private
from envctl.plan.model import (
    Check,
    Condition,
    Hooks,
    Kind,
    Mount,
    Plan,
    Port,
    Probe,
    ProbeKind,
    Process,
    Resources,
    Restart,
    Run,
    Secret,
    Unit,
    Volume,
)
from envctl.plan.scope import make_scope
from envctl.plan.state import Observed
from envctl.planner.base_names import base_problems
from envctl.planner.build import source
from envctl.planner.new_volumes import with_new_volumes
from envctl.planner.overlaps import is_within, overlaps
from envctl.planner.package_layers import package_sets
from envctl.planner.planned_services import Planned, PlannedServices
from envctl.planner.service_context import ServiceContext
from envctl.trust.git_folders import git_below

if TYPE_CHECKING:
    from envctl.definition.keys.service import ServiceData


def _nothing_else(_plan: Plan) -> Sequence[Problem]:
    return ()


def make_plan(
    resolved: Resolved,
    *,
    backend: str,
    recipe: str = "",
    needed: Collection[str] | None = None,
    also: Callable[[Plan], Sequence[Problem]] = _nothing_else,
    shared: PlannedServices | None = None,
) -> Plan:
    """Decide everything about one environment, but for what the values of its secrets tell.

    `recipe` is a digest of the project's own
    templates that images are made from: it makes their builds others. Services other than those `needed`, if that
    is given, are left out where they cannot be planned. `shared` are those that were planned for other environments. Reads the files that builds
    copy; SpecError tells which are missing or unsafe, and `also` what else is wrong with the plan.
    """
    data = resolved.data
    problems: list[Problem] = []
    units: list[Unit] = []
    left_out: list[str] = []
    users = [(name, one["user"], one["base"] is not None) for name, one in data["services"].items()]
    taken: dict[tuple[str, tuple[str, ...]], files.Taken] = {}
    depends_on = {name: service["depends_on"] for name, service in data["services"].items()}
    sets = package_sets(resolved)
    for name in dependency_order(depends_on):
        context = ServiceContext(name, resolved, backend, sets, recipe, users, taken)
        made, wrong = shared.planned(context, _planned) if shared else _planned(context)
        if wrong and needed is not None and name not in needed:
            left_out.append(name)
            continue
        units += made
        problems += wrong
    root = resolved.root
    scope = make_scope(data["project"], data["environment"], root, home=home_of(root))
    begun = with_new_volumes(units, _owners(data["services"]))
    plan = Plan(scope, backend, begun, tuple(left_out))
    problems += also(plan)
    if problems:
        raise SpecError(tuple(problems))
    return plan


def _planned(context: ServiceContext) -> Planned:
    """The units of a service, and what is wrong with them."""
    missing_files = [
        problem for name, problem in context.resolved.missing_files if name == context.name
    ]
    problems = [*missing_files, *_missing_mounts(context)]
    if missing_files:
        return (), problems
    try:
        units = list(_units(context))
    except SpecError as error:
        return (), (*problems, *error.problems)
    return units, (*problems, *base_problems(context, units[0]), *overlaps(units[0]))


def with_free_ports(plan: Plan) -> Plan:
    """The plan; the engine chooses the ports of the host."""

    def run(unit: Unit) -> Run:
        return replace(unit.run, ports=tuple(replace(port, host=0) for port in unit.run.ports))

    return replace(plan, units=tuple(replace(unit, run=run(unit)) for unit in plan.units))


def with_digests(plan: Plan, digests: Mapping[str, str]) -> Plan:
    """The plan with the keyed digests of its secrets' values, which tell whether one has changed."""

    def run(unit: Unit) -> Run:
        secrets = (
            replace(secret, digest=digests.get(secret.name, "")) for secret in unit.run.secrets
        )
        return replace(unit.run, secrets=tuple(secrets))

    units = (replace(unit, run=run(unit)) if unit.run.secrets else unit for unit in plan.units)
    return replace(plan, units=tuple(units))


def with_recorded_digests(plan: Plan, observed: Observed, names: Collection[str]) -> Plan:
    """The plan with the digests that units were made with, of these secrets: their values count as unchanged."""

    def run(unit: Unit) -> Run:
        known = _recorded_digests(observed, unit.name)
        secrets = (
            replace(secret, digest=known.get(secret.name, "")) if secret.name in names else secret
            for secret in unit.run.secrets
        )
        return replace(unit.run, secrets=tuple(secrets))

    return replace(plan, units=tuple(replace(unit, run=run(unit)) for unit in plan.units))


def _recorded_digests(observed: Observed, unit: str) -> Mapping[str, str]:
    state = observed.units.get(unit)
    try:
        run = json.loads(state.run) if state else {}
        return {str(secret["name"]): str(secret["digest"]) for secret in run["secrets"]}
    except (ValueError, KeyError, TypeError):
        return {}


def _owners(services: Mapping[str, ServiceData]) -> Mapping[str, str]:
    """By volume, whose the spec says that it is."""
    return {
        name: volume["owner"]
        for service in services.values()
        for name, volume in service["volumes"].items()
        if volume["owner"]
    }


def dependency_order(needed: Mapping[str, Collection[str]]) -> list[str]:
    """Names so that each comes after what it depends on, otherwise as written."""
    done: dict[str, None] = {}
    stack = [*needed][::-1]
    visited: set[str] = set()
    while stack:
        name = stack.pop()
        # A service is met a second time when all it depends on is done.
        if name in visited:
            done.setdefault(name)
            continue
        visited.add(name)
        stack.append(name)
        stack += (other for other in reversed([*needed[name]]) if other not in visited)
    return list(done)


def _units(context: ServiceContext) -> Iterator[Unit]:
    name, service = context.name, context.service
    unit = Unit(
        name,
        name,
        source(context),
        _run(context),
        depends_on={key: Condition(value) for key, value in service["depends_on"].items()},
        checks=tuple(
            Check(
                check["name"],
                tuple(check["command"]),
                check["timeout"],
                context.where("checks", index),
            )
            for index, check in enumerate(service["checks"])
        ),
        hooks=Hooks(
            tuple(tuple(argv) for argv in service["hooks"]["after_start"]),
            tuple(tuple(argv) for argv in service["hooks"]["before_stop"]),
        ),
        where=context.where(),
        origins=_origins(context),
    )
    yield unit
    for replica in range(2, service["replicas"] + 1):
        replica_name = f"{name}-{replica}"
        run = replace(unit.run, aliases=(name, replica_name))
        yield replace(unit, name=replica_name, replica=replica, run=run)


def _run(context: ServiceContext) -> Run:
    service = context.service
    argv = tuple(service["command"]) if service["command"] is not None else None
    workdir = service["workdir"] or ("/" if service["base"] is not None else None)
    capabilities = tuple(service["capabilities"])
    return Run(
        kind=Kind(service["kind"]),
        process=Process(argv, context.user, workdir, service["env"], capabilities),
        ports=tuple(
            Port(port["container"], port["host"], port["address"], port["protocol"])
            for port in service["ports"]
        ),
        mounts=tuple(_mounts(context)),
        volumes=tuple(
            Volume(key, volume["target"], volume["read_only"])
            for key, volume in sorted(service["volumes"].items())
        ),
        secrets=tuple(
            Secret(
                use["name"],
                use["target"],
                env=context.resolved.data["secrets"][use["name"]]["env"] or "",
            )
            for use in service["secrets"]
        ),
        probe=_probe(service),
        restart=Restart(service["restart"]),
        resources=Resources(service["resources"]["cpus"], service["resources"]["memory"]),
        aliases=(context.name,),
        options=service["options"].get(context.backend, {}),
        platform=service["platform"] or "",
    )


def _mounts(context: ServiceContext) -> Iterator[Mount]:
    for mount in context.service["mounts"]:
        source = context.root / mount["source"]
        if source.exists():
            hidden = tuple(hidden_below(source, context.root))
            target, read_only = mount["target"], mount["read_only"]
            git = () if read_only else git_below(source, context.root)
            protected = tuple(folder for folder in git if not _is_other(context, target, folder))
            yield Mount(str(followed(source)), target, read_only, hidden, protected)


def _is_other(context: ServiceContext, target: str, path: str) -> bool:
    """Whether the spec puts something else where a path below a mount would be."""
    service = context.service
    in_memory = service["options"].get(context.backend, {}).get("tmpfs")
    others = [
        *(thing["target"] for thing in service["mounts"] if thing["target"] != target),
        *(thing["target"] for thing in service["volumes"].values()),
        *(in_memory if isinstance(in_memory, Mapping) else ()),
    ]
    place = f"{target.rstrip('/')}/{path}"
    return any(is_within(place, thing) and is_within(thing, target) for thing in others)


def _missing_mounts(context: ServiceContext) -> Iterator[Problem]:
    for index, mount in enumerate(context.service["mounts"]):
        source, where = context.root / mount["source"], context.where("mounts", index)
        if not source.exists():
            yield from files.problem(f"nothing to mount at {mount['source']!r}", where).problems
        elif is_private(source, context.root):
            message = f"{mount['source']!r} cannot be mounted: envctl keeps secrets and keys there"
            yield from files.problem(message, where, hint="mount another folder").problems
        else:
            yield from _misspelt(context, mount["source"], where)
            yield from _unhidden(context, source, where)


def _misspelt(context: ServiceContext, source: str, where: Place | None) -> Iterator[Problem]:
    try:
        files.insist_spelling(context.root, source, where)
    except SpecError as error:
        yield from error.problems


def _unhidden(context: ServiceContext, source: Path, where: Place | None) -> Iterator[Problem]:
    """Where case is ignored, what is mounted over a private folder hides it under one spelling of its name only."""
    for hidden in hidden_below(source, context.root):
        if ignores_case(source / hidden):
            yield from files.problem(
                f"{hidden} in what is mounted may have secrets and keys in it, and cannot be hidden: its disk takes"
                f" {hidden.swapcase()} for the same",
                where,
                hint="mount a folder without it, or remove it; what an earlier envctl kept in the project"
                " `envctl trust --state` takes over",
            ).problems


def _probe(service: ServiceData) -> Probe | None:
    probe = service["healthcheck"]
    if probe is None:
        return None
    return Probe(
        ProbeKind(probe["kind"]),
        tuple(probe["test"]),
        probe["interval"],
        probe["timeout"],
        probe["retries"],
        probe["start_period"],
        probe["start_interval"],
    )


def _origins(context: ServiceContext) -> Mapping[str, Place]:
    """The places that set a unit's run, by path in the run."""
    places: dict[str, Place] = {}
    resolved = context.resolved
    for path in resolved.origins.of_service(context.name):
        key, *rest = map(str, path or ("",))
        if key == "options":
            # A unit runs with the settings of its own backend only.
            if rest[:1] != [context.backend]:
                continue
            del rest[0]
        if key in resolved.run_paths:
            place = resolved.origins.place(("services", context.name, *path))
            places[".".join([resolved.run_paths[key], *rest])] = place
    return places
