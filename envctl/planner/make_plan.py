"""From the resolved spec to the plan."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from envctl import files
from envctl.definition.resolved import Resolved
from envctl.errors import Problem, SpecError
from envctl.host.checkout_id import home_of
from envctl.plan.model import Plan, Unit
from envctl.plan.scope import make_scope
from envctl.planner.base_names import base_problems
from envctl.planner.host_users import host_users, owner_of
from envctl.planner.mounts import mount_problems
from envctl.planner.new_volumes import with_new_volumes
from envctl.planner.overlaps import overlaps
from envctl.planner.package_layers import package_sets
from envctl.planner.planned_services import Planned, PlannedServices
from envctl.planner.service_context import RenderText, ServiceContext
from envctl.planner.service_units import units_of

if TYPE_CHECKING:
    from envctl.definition.keys.service import ServiceData


def _nothing_else(_plan: Plan) -> Sequence[Problem]:
    return ()


def make_plan(
    resolved: Resolved,
    *,
    backend: str,
    render_text: RenderText,
    template_digest: str = "",
    needed: Collection[str] | None = None,
    inactive: Collection[str] = (),
    also: Callable[[Plan], Sequence[Problem]] = _nothing_else,
    shared: PlannedServices | None = None,
) -> Plan:
    """Decide everything about one environment, except the digests of its secrets' values.

    Reads the files that builds copy. SpecError lists which of them are missing or unsafe, and all other problems;
    `also` finds problems of the whole plan. `template_digest` is a digest of the project's own templates that images
    are made from; it is part of their builds' identity. With `needed`, other services that cannot be planned are left
    out, as those in `inactive` are in any case. `shared` remembers services that were planned for other environments.
    """
    data = resolved.data
    problems: list[Problem] = []
    units: list[Unit] = []
    left_out: list[str] = []
    users = [
        (name, service["user"], service["base"] is not None)
        for name, service in data["services"].items()
    ]
    copies: dict[tuple[str, tuple[str, ...]], files.HashedTree] = {}
    depends_on = {name: service["depends_on"] for name, service in data["services"].items()}
    sets = package_sets(resolved)
    with_numbers = host_users(data["services"], resolved.root)
    for name in dependency_order(depends_on):
        if name in inactive:
            continue
        context = ServiceContext(
            name,
            resolved,
            backend,
            sets,
            render_text,
            template_digest,
            owner=owner_of(resolved.root),
            host_users=with_numbers,
            users=users,
            copies=copies,
        )
        service_units, wrong = shared.planned(context, _planned) if shared else _planned(context)
        if wrong and needed is not None and name not in needed:
            left_out.append(name)
            continue
        units += service_units
        problems += wrong
    root = resolved.root
    scope = make_scope(data["project"], data["environment"], root, home=home_of(root))
    begun = with_new_volumes(units, _owners(data["services"]))
    plan = Plan(scope, backend, begun, tuple(left_out), tuple(sorted(inactive)))
    problems += also(plan)
    if problems:
        raise SpecError(tuple(problems))
    return plan


def _planned(context: ServiceContext) -> Planned:
    """Return the units of a service, and their problems."""
    missing_files = [
        problem for name, problem in context.resolved.missing_files if name == context.name
    ]
    problems = [*missing_files, *mount_problems(context)]
    if missing_files:
        return (), problems
    try:
        units = list(units_of(context))
    except SpecError as error:
        return (), (*problems, *error.problems)
    return units, (*problems, *base_problems(context, units[0]), *overlaps(units[0]))


def _owners(services: Mapping[str, ServiceData]) -> Mapping[str, str]:
    """Return the owners of volumes that the spec sets, by volume."""
    return {
        name: volume["owner"]
        for service in services.values()
        for name, volume in service["volumes"].items()
        if volume["owner"]
    }


def dependency_order(needed: Mapping[str, Collection[str]]) -> list[str]:
    """Return the names, each after its dependencies, otherwise in the order of the spec."""
    done: dict[str, None] = {}
    stack = [*needed][::-1]
    visited: set[str] = set()
    while stack:
        name = stack.pop()
        # A service is visited again when all its dependencies are done.
        if name in visited:
            done.setdefault(name)
            continue
        visited.add(name)
        stack.append(name)
        stack += (other for other in reversed([*needed[name]]) if other not in visited)
    return list(done)
