"""status: what is there."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

from envctl.cli.arguments import Target
from envctl.cli.declare import AsJson, Option
from envctl.cli.invocation import Invocation
from envctl.errors import EnvctlError

if TYPE_CHECKING:
    from envctl.plan.scope import FoundEnvironment
    from envctl.verbs.status import Row

_HEAD = ("ENVIRONMENT", "BACKEND", "UNIT", "STATE", "HEALTH", "ADDRESSES", "CAUSE")

_FOUND_HEAD = ("PROJECT", "ENVIRONMENT", "BACKEND", "ID", "UNITS", "VOLUMES", "FOLDER")

_STYLES = {
    "running": "green",
    "completed": "green",
    "healthy": "green",
    "starting": "yellow",
    "restarting": "yellow",
    "missing": "yellow",
    "paused": "yellow",
    "stopped": "yellow",
    "unreachable": "red",
    "unknown": "red",
    "oom-killed": "red",
    "exited": "red",
    "unused": "yellow",
    "failed": "red",
    "unhealthy": "red",
}


def status(
    invocation: Invocation,
    target: Target = None,
    *,
    every: Annotated[
        bool,
        Option(("--all",), "Show all environments on this machine, whatever their project."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show the state of every unit.

    Those of TARGET, or without it of all environments that are up, also of those that were taken out of the spec. An
    engine that does not answer is an error, told after what the others say. With --all every environment on this
    machine's engines, with its id and the folder of its project, which need not exist any more.

    JSON: a list of objects with `environment`, `backend`, `service`, `replica`, `unit`, `kind`,
    `state`, `health`, `addresses` and `cause` (why it is not as the spec wants it, or ""). A `kind` of "volume" is a
    volume, named in `unit`, that is kept and not in the spec any more. `state` is `missing`, `created`, `starting`, `running`,
    `restarting`, `paused`, `stopped` (by envctl), `exited`, `completed`, `failed`, `oom-killed`, `unreachable` or `unknown`,
    of a volume `unused`. With --all: `project`, `environment`, `backend`, `id`, `folder`, `exists` (whether the folder
    does), `units` and `volumes`.
    """
    if every:
        _everything(invocation, as_json=as_json)
        return
    everything = None
    if target:
        rows: Sequence[Row] = invocation.project.status(invocation.target(target))
    else:
        from envctl.verbs.list_environments import running

        everything = running(invocation.project)
        rows = everything.rows
    if not any(row.state != "missing" for row in rows):
        _lost(invocation, target)
    if as_json:
        invocation.json([_data(row) for row in rows])
    elif rows:
        invocation.out.table([_cells(row) for row in rows], head=_HEAD, styles=_STYLES)
    elif everything is None or not everything.unanswered:
        invocation.out.line("nothing is up")
    if everything is not None:
        everything.insist()


def _lost(invocation: Invocation, target: str | None) -> None:
    """Say what of the project is up from a folder that it is not in any more."""
    from envctl.plan.target import Target as Goal

    goals = [invocation.target(target)] if target else map(Goal, invocation.project.environments())
    for goal in goals:
        with suppress(EnvctlError):
            for text in invocation.project.lost(goal):
                invocation.note(f"note: {text}")


def _everything(invocation: Invocation, *, as_json: bool) -> None:
    from envctl.verbs.adopt import everything

    found, silent = everything(invocation.reporter)
    for text in silent:
        invocation.note(f"note: {text}")
    if as_json:
        invocation.json([_found_data(one) for one in found])
    elif found:
        invocation.out.table([_found_cells(one) for one in found], head=_FOUND_HEAD, styles={})
    else:
        invocation.out.line("nothing is up")


def _found_data(found: FoundEnvironment) -> dict[str, object]:
    return {
        "project": found.scope.project,
        "environment": found.scope.environment,
        "backend": found.backend,
        "id": found.scope.project_id,
        "folder": found.scope.root,
        "exists": not found.is_lost,
        "units": list(found.units),
        "volumes": list(found.volumes),
    }


def _found_cells(found: FoundEnvironment) -> tuple[str, ...]:
    scope = found.scope
    gone = " (gone)" if found.is_lost else ""
    names = (scope.project, scope.environment, found.backend, scope.project_id)
    return (*names, " ".join(found.units), " ".join(found.volumes), f"{scope.root}{gone}")


def _data(row: Row) -> dict[str, object]:
    return {
        "environment": row.environment,
        "backend": row.backend,
        "service": row.service,
        "replica": row.replica,
        "unit": row.unit,
        "kind": row.kind,
        "state": row.state,
        "health": row.health,
        "addresses": list(row.addresses),
        "cause": row.cause,
    }


def _cells(row: Row) -> tuple[str, ...]:
    health = "" if row.health == "none" else row.health
    addresses = " ".join(row.addresses)
    unit = f"volume {row.unit}" if row.kind == "volume" else row.unit
    return (row.environment, row.backend, unit, row.state, health, addresses, row.cause)
