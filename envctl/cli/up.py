"""Commands that change what is up: up, down, stop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

from envctl.cli.arguments import Services, Target
from envctl.cli.declare import AsJson, Option
from envctl.cli.invocation import Invocation
from envctl.cli.notes import note_builds, note_mounts, note_variables
from envctl.errors import UsageError

if TYPE_CHECKING:
    from envctl.plan.changes import Change
    from envctl.plan.model import Plan, Unit
    from envctl.plan.target import Target as Goal
    from envctl.verbs.results import Decided


def _announce(invocation: Invocation, goal: Goal, nothing: str, *, as_json: bool) -> Decided:
    """What is printed when it is decided what to do, before any of it is done."""

    def decided(changes: Sequence[Change]) -> None:
        if as_json or invocation.options.quiet:
            return
        if changes:
            invocation.changes(changes)
        else:
            invocation.reporter.pause()
            invocation.out.line(invocation.out.safe(f"{goal.environment}: {nothing}"))

    return decided


def _json(invocation: Invocation, goal: Goal, changes: Sequence[Change], **more: object) -> None:
    from envctl.plan.text import changes_json

    names = {"environment": goal.environment, "backend": invocation.backend(goal)}
    invocation.json({**names, "changes": changes_json(changes), **more})


def up(
    invocation: Invocation,
    target: Target = None,
    services: Services = None,
    *,
    frozen: Annotated[
        bool,
        Option(
            ("--frozen",), "Build as envctl.lock says; change nothing if it comes out otherwise."
        ),
    ] = False,
    offline: Annotated[
        bool,
        Option(
            ("--offline",), "With --frozen: build of what `lock --vendor` kept, without a network."
        ),
    ] = False,
    yes: Annotated[
        bool,
        Option(("--yes", "-y"), "Allow what the project runs, reads or mounts of this host."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring an environment up, and wait until all of it is ready.

    Says first what changes and why, then what it does, and last the addresses to open. What is up
    and as the spec wants it is left alone. With services, only they, what they depend on, and what has to let go of a
    port or volume for them; what others lack, such as a secret or a file, is nothing to them.

    What the project would run, read or mount of this host outside its folder is shown and asked for the first time
    (see `trust`).

    With --frozen images and provisioned boxes are made and compared with envctl.lock before anything else is done.

    JSON: an object with `environment`, `backend`, `changes` (as in `plan`) and `addresses`, from a
    unit's name to a list.
    """
    if offline and not frozen:
        raise UsageError("--offline goes with --frozen: what was kept is what the lock names")
    invocation.yes = yes
    goal = invocation.target(target)
    note_variables(invocation, goal.environment)
    announce = _announce(invocation, goal, "nothing changes", as_json=as_json)

    def decided(changes: Sequence[Change]) -> None:
        note_mounts(invocation, _units(changes))
        note_builds(invocation, _units(changes))
        announce(changes)

    result = invocation.project.up(
        goal, services=services or (), decided=decided, frozen=frozen, offline=offline
    )
    invocation.reporter.pause()
    if as_json:
        addresses = {unit: list(listed) for unit, listed in result.addresses.items()}
        _json(invocation, goal, result.changes, addresses=addresses)
    elif result.simulated:
        invocation.note(
            f"{goal.environment} is on paper only: nothing runs, and no address answers"
        )
    else:
        _show_addresses(invocation, result.plan, result.addresses)


def _units(changes: Sequence[Change]) -> Sequence[Unit]:
    """The units that are made or changed."""
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
    """The address as a URL where the unit's health probe shows that it is the web's."""
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
    target: Target = None,
    *,
    volumes: Annotated[
        bool,
        Option(("--volumes",), "Delete its data too: volumes and generated secrets."),
    ] = False,
    identity: Annotated[
        str | None,
        Option(("--id",), "The one with this id, from anywhere: `status --all` shows ids."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take an environment down; its data stays.

    With --volumes its data is deleted too, and nothing is asked. With --id its project's folder need not exist any more.

    JSON: an object with `environment`, `backend` and `changes` (as in `plan`).
    """
    if identity is not None:
        _down_by_id(invocation, target, identity, volumes=volumes, as_json=as_json)
        return
    goal = invocation.target(target)
    decided = _announce(invocation, goal, "nothing is up", as_json=as_json)
    changes = invocation.project.down(goal, volumes=volumes, decided=decided)
    invocation.reporter.pause()
    if as_json:
        _json(invocation, goal, changes)


def _down_by_id(
    invocation: Invocation, target: str | None, identity: str, *, volumes: bool, as_json: bool
) -> None:
    from envctl.plan.target import Target as Goal
    from envctl.verbs.adopt import choose, everything, take_down

    named = Goal.parse(target) if target else None
    found, silent = everything(invocation.reporter)
    for text in silent:
        invocation.note(f"note: {text}")
    one = choose(
        found,
        identity,
        environment=named.environment if named else "",
        backend=(named.backend or "") if named else "",
    )
    goal = Goal(one.scope.environment, one.backend)
    decided = _announce(invocation, goal, "nothing is up", as_json=as_json)
    changes = take_down(one, volumes=volumes, report=invocation.reporter, decided=decided)
    invocation.reporter.pause()
    if as_json:
        _json(invocation, goal, changes)


def stop(invocation: Invocation, target: Target = None, *, as_json: AsJson = False) -> None:
    """Stop an environment and keep it; `up` starts it again.

    JSON: an object with `environment`, `backend` and `changes` (as in `plan`).
    """
    goal = invocation.target(target)
    decided = _announce(invocation, goal, "nothing is running", as_json=as_json)
    changes = invocation.project.stop(goal, decided=decided)
    invocation.reporter.pause()
    if as_json:
        _json(invocation, goal, changes)
