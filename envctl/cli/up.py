"""Commands that change what is up: up, down, stop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

from envctl.cli.arguments import Services, Target
from envctl.cli.declare import AsJson, Option
from envctl.cli.session import Session

if TYPE_CHECKING:
    from envctl.plan.changes import Change
    from envctl.target import Target as Goal
    from envctl.workflow import Decided


def _announce(session: Session, goal: Goal, nothing: str, *, as_json: bool) -> Decided:
    """What is printed when it is decided what to do, before any of it is done."""

    def decided(changes: Sequence[Change]) -> None:
        if as_json or session.options.quiet:
            return
        if changes:
            session.changes(changes)
        else:
            session.reporter.pause()
            session.out.line(session.out.safe(f"{goal.environment}: {nothing}"))

    return decided


def _json(session: Session, goal: Goal, changes: Sequence[Change], **more: object) -> None:
    from envctl.plan.text import changes_json

    names = {"environment": goal.environment, "backend": session.backend(goal)}
    session.json({**names, "changes": changes_json(changes), **more})


def up(
    session: Session,
    target: Target = None,
    services: Services = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Bring an environment up, and wait until all of it is ready.

    Says first what changes and why, then what it does, and last the addresses to open. What is up
    and as the spec wants it is left alone. With services, only they and what they depend on.

    JSON: an object with `environment`, `backend`, `changes` (as in `plan`) and `addresses`, from a
    unit's name to a list.
    """
    goal = session.target(target)
    decided = _announce(session, goal, "nothing changes", as_json=as_json)
    result = session.workspace.up(goal, services=services or (), decided=decided)
    session.reporter.pause()
    if as_json:
        addresses = {unit: list(listed) for unit, listed in result.addresses.items()}
        _json(session, goal, result.changes, addresses=addresses)
    else:
        _show_addresses(session, result.addresses)


def _show_addresses(session: Session, addresses: Mapping[str, Sequence[str]]) -> None:
    width = max((len(unit) for unit in addresses), default=0)
    for unit, listed in addresses.items():
        for address in listed:
            shown = session.out.paint(address, "bold")
            session.out.line(f"{session.out.safe(unit):<{width}}  {shown}")


def down(
    session: Session,
    target: Target = None,
    *,
    volumes: Annotated[
        bool,
        Option(("--volumes",), "Delete its data too: volumes and generated secrets."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Take an environment down; its data stays.

    With --volumes its data is deleted too, and nothing is asked.

    JSON: an object with `environment`, `backend` and `changes` (as in `plan`).
    """
    goal = session.target(target)
    decided = _announce(session, goal, "nothing is up", as_json=as_json)
    changes = session.workspace.down(goal, volumes=volumes, decided=decided)
    session.reporter.pause()
    if as_json:
        _json(session, goal, changes)


def stop(session: Session, target: Target = None, *, as_json: AsJson = False) -> None:
    """Stop an environment and keep it; `up` starts it again.

    JSON: an object with `environment`, `backend` and `changes` (as in `plan`).
    """
    goal = session.target(target)
    decided = _announce(session, goal, "nothing is running", as_json=as_json)
    changes = session.workspace.stop(goal, decided=decided)
    session.reporter.pause()
    if as_json:
        _json(session, goal, changes)
