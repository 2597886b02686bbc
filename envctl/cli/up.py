"""up, down and stop: change what is running."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, TypeAlias

from envctl.cli.arguments import Services, TargetOrService
from envctl.cli.declare import AsJson, Option, Profiles
from envctl.cli.invocation import Invocation
from envctl.cli.notes import note_builds, note_mounts, note_variables
from envctl.errors import UsageError

if TYPE_CHECKING:
    from envctl.plan.changes import Change
    from envctl.plan.model import Plan, Unit
    from envctl.plan.target import Target as Goal
    from envctl.verbs.results import Decided, UpResult

Yes: TypeAlias = Annotated[
    bool,
    Option(("--yes", "-y"), "Allow what the project runs, reads or mounts on this host."),
]


def _announce(invocation: Invocation, goal: Goal, nothing: str, *, as_json: bool) -> Decided:
    """A function that prints the changes before the first one is made."""

    def decided(changes: Sequence[Change]) -> None:
        if as_json or invocation.options.quiet:
            return
        if changes:
            invocation.changes(changes)
        else:
            invocation.reporter.pause()
            invocation.out.line(invocation.out.safe(f"{goal.environment}: {nothing}"))

    return decided


def changes_json_of(
    invocation: Invocation, goal: Goal, changes: Sequence[Change], **more: object
) -> None:
    """Print changes of a target as JSON."""
    from envctl.plan.text import changes_json

    names = {"environment": goal.environment, "backend": invocation.backend(goal)}
    invocation.json({**names, "changes": changes_json(changes), **more})


def up(
    invocation: Invocation,
    target: TargetOrService = None,
    services: Services = None,
    *,
    frozen: Annotated[
        bool,
        Option(
            ("--frozen",), "Build the versions in envctl.lock; change nothing if a build differs."
        ),
    ] = False,
    offline: Annotated[
        bool,
        Option(
            ("--offline",),
            "With --frozen: build from the files of `lock --vendor`, without a network.",
        ),
    ] = False,
    recreate: Annotated[
        bool,
        Option(("--recreate",), "Replace the named services, or all, even if they match the spec."),
    ] = False,
    free_ports: Annotated[
        bool | None,
        Option(
            ("--free-ports/--no-free-ports",),
            "From now on, take free ports of this host in this checkout, or those of the spec again.",
        ),
    ] = None,
    profiles: Profiles = None,
    watch: Annotated[
        bool,
        Option(("--watch",), "Then bring files into the units as they are saved; see `watch`."),
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Bring an environment up and wait until every unit is ready.

    Prints what changes and why, then progress, then the addresses to open. Units that already match the spec are left
    alone. With SERVICE, changes only the named services, their dependencies, and units that must release a port or
    volume for them; a secret or file missing for another service does not matter.

    The first time, shows what the project would run, read or mount on this host outside its folder, and asks (see
    `trust`).

    A port without a host side gets a free one, which stays the same for the checkout. With --free-ports so does every
    port, also one that the spec fixes and that another checkout has; later runs here do the same.

    A service with `profiles` is left out, and stays as it is, unless --profile or its name asks for it.

    With --frozen, images and boxes are built and compared with envctl.lock before anything else changes.

    Examples:
        envctl up dev
        envctl up dev@vagrant web

    JSON: an object with `environment`, `backend`, `changes` (as in `plan`) and `addresses` (unit name to list).
    """
    if watch and (as_json or frozen):
        raise UsageError("--watch cannot be used with --json or --frozen")
    if offline and not frozen:
        raise UsageError("--offline needs --frozen: only locked versions are vendored")
    invocation.yes = yes
    invocation.profiles = profiles or ()
    goal, selected = invocation.target_and_services(target, services)
    note_variables(invocation, goal.environment)
    from envctl.verbs import up as verb

    result = verb.up(
        invocation.project,
        goal,
        services=selected,
        decided=announce_all(invocation, goal, as_json=as_json),
        frozen=frozen,
        offline=offline,
        recreate=recreate,
        free_ports=free_ports,
    )
    show_result(invocation, goal, result, as_json=as_json)
    if watch:
        from envctl.cli.live_output import keep_watching

        keep_watching(invocation, goal, selected, as_json=False)


def announce_all(
    invocation: Invocation, goal: Goal, *, as_json: bool, nothing: str = "no changes"
) -> Decided:
    """A function that prints the changes before the first one is made, with notes about builds and mounts."""
    announce = _announce(invocation, goal, nothing, as_json=as_json)

    def decided(changes: Sequence[Change]) -> None:
        note_mounts(invocation, _units(changes))
        note_builds(invocation, _units(changes))
        announce(changes)

    return decided


def show_result(invocation: Invocation, goal: Goal, result: UpResult, *, as_json: bool) -> None:
    """Print the addresses of what was brought up."""
    invocation.reporter.pause()
    if as_json:
        addresses = {unit: list(listed) for unit, listed in result.addresses.items()}
        changes_json_of(invocation, goal, result.changes, addresses=addresses)
    elif result.simulated:
        invocation.note(f"{goal.environment} is simulated: nothing runs, and no address answers")
    else:
        _show_addresses(invocation, result.plan, result.addresses)


def _units(changes: Sequence[Change]) -> Sequence[Unit]:
    """The units that are created or changed."""
    from envctl.plan.model import Unit

    return [change.target for change in changes if isinstance(change.target, Unit)]


def _show_addresses(
    invocation: Invocation, plan: Plan, addresses: Mapping[str, Sequence[str]]
) -> None:
    units = {unit.name: unit for unit in plan.units}
    width = max((len(name) for name in addresses), default=0)
    for name, listed in addresses.items():
        for address in listed:
            shown = invocation.out.paint(to_open(address, units.get(name)), "bold")
            invocation.out.line(f"{invocation.out.safe(name):<{width}}  {shown}")


def to_open(address: str, unit: Unit | None) -> str:
    """The address as a URL, if the unit's health check shows that it speaks HTTP there."""
    from urllib.parse import urlsplit

    probe = unit.run.probe if unit else None
    if unit is None or probe is None or probe.kind != "http" or "://" in address:
        return address
    url = urlsplit(probe.test[0])
    inside = url.port or (443 if url.scheme == "https" else 80)
    ports = [port for port in unit.run.ports if port.container == inside]
    hosts = {str(port.host) for port in ports if port.host}
    served = address.rpartition(":")[2] in hosts or (ports and len(unit.run.ports) == 1)
    return f"{url.scheme}://{address}" if served else address


def down(
    invocation: Invocation,
    target: TargetOrService = None,
    services: Services = None,
    *,
    volumes: Annotated[
        bool,
        Option(("--volumes", "-v"), "Also delete its data: volumes and generated secrets."),
    ] = False,
    identity: Annotated[
        str | None,
        Option(
            ("--id",),
            "Take down the environment with this id, from any folder; `list` shows ids.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take an environment down and keep its data.

    With SERVICE, takes down only the named services. With --volumes, all data is deleted without asking. With --id,
    the project's folder need not exist. The last line says what was removed and which data stays.

    Examples:
        envctl down dev
        envctl down dev --volumes

    JSON: an object with `environment`, `backend` and `changes` (as in `plan`).
    """
    if identity is not None:
        if services:
            raise UsageError("--id takes down a whole environment, no single services")
        _down_by_id(invocation, target, identity, volumes=volumes, as_json=as_json)
        return
    goal, names = invocation.target_and_services(target, services)
    if volumes and names:
        raise UsageError(
            "--volumes deletes all data of an environment, and cannot be used with services",
            hint=f"`envctl down {goal} {' '.join(names)}` keeps the data",
        )
    decided = _announce(invocation, goal, "nothing is up", as_json=as_json)
    from envctl.verbs import down as verb

    changes = verb.down(invocation.project, goal, services=names, volumes=volumes, decided=decided)
    invocation.reporter.pause()
    if as_json:
        changes_json_of(invocation, goal, changes)


def _down_by_id(
    invocation: Invocation, target: str | None, identity: str, *, volumes: bool, as_json: bool
) -> None:
    from envctl.plan.target import Target as Goal
    from envctl.verbs.adopt import choose, everything, take_down

    named = Goal.parse(target) if target else None
    environments, unanswered = everything(invocation.reporter)
    for text in unanswered:
        invocation.note(f"note: {text}")
    environment = choose(
        environments,
        identity,
        environment=named.environment if named else "",
        backend=(named.backend or "") if named else "",
    )
    goal = Goal(environment.scope.environment, environment.backend)
    decided = _announce(invocation, goal, "nothing is up", as_json=as_json)
    changes = take_down(environment, volumes=volumes, report=invocation.reporter, decided=decided)
    invocation.reporter.pause()
    if as_json:
        changes_json_of(invocation, goal, changes)


def stop(
    invocation: Invocation,
    target: TargetOrService = None,
    services: Services = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Stop an environment, or some services, without removing anything; `up` starts it again.

    Examples:
        envctl stop dev
        envctl stop dev@vagrant

    JSON: an object with `environment`, `backend` and `changes` (as in `plan`).
    """
    goal, names = invocation.target_and_services(target, services)
    decided = _announce(invocation, goal, "nothing is running", as_json=as_json)
    from envctl.verbs import stop as verb

    changes = verb.stop(invocation.project, goal, services=names, decided=decided)
    invocation.reporter.pause()
    if as_json:
        changes_json_of(invocation, goal, changes)
