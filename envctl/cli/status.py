"""status: show the state of units."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Final

from envctl.cli.arguments import Services, TargetOrService
from envctl.cli.declare import AsJson, Option
from envctl.cli.invocation import Invocation
from envctl.errors import EnvctlError, UsageError

if TYPE_CHECKING:
    from envctl.plan.target import Target as Goal
    from envctl.verbs.list_environments import Running
    from envctl.verbs.status import Row

_HEAD = ("ENVIRONMENT", "BACKEND", "UNIT", "STATE", "HEALTH", "ADDRESSES", "CAUSE")

_CLEAR: Final = "\x1b[H\x1b[2J\x1b[3J"
"""Moves the cursor home and clears the screen and the scrollback."""
_WATCH_PAUSE: Final = 1.0
"""Seconds between two polls of `--watch`."""

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
    target: TargetOrService = None,
    services: Services = None,
    *,
    watch: Annotated[
        bool, Option(("--watch", "-w"), "Show the states again whenever they change.")
    ] = False,
    every: Annotated[
        bool,
        Option(("--all",), "Show the environments of all projects on this machine."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show the state of every unit.

    Without TARGET, shows all environments that are up, including those removed from the spec. With SERVICE, shows only
    the named services; a service without TARGET is one of the default environment. An engine that does not
    answer is reported as an error after the results of the others. With --all, shows every environment on this
    machine's engines, with its id and its project's folder, even if that folder no longer exists.

    Examples:
        envctl status
        envctl status dev --json

    JSON: a list of objects with `environment`, `backend`, `service`, `replica`, `unit`, `kind`, `state`, `health`,
    `addresses` and `cause` (why it differs from the spec, or ""). A `kind` of "volume" is a volume, named in `unit`,
    that was removed from the spec. `state` is `missing`, `created`, `starting`, `running`, `restarting`, `paused`,
    `stopped` (by envctl), `exited`, `completed`, `failed`, `oom-killed`, `unreachable` or `unknown`; for a volume it is
    `unused`. With --all, as in `list`.
    """
    if watch and (as_json or every):
        raise UsageError("--watch cannot be used with --json or --all")
    if every:
        from envctl.cli.list_command import show_environments

        show_environments(invocation, as_json=as_json)
        return
    goal, names = invocation.target_and_services(target, services) if target else (None, ())
    if watch:
        _watch(invocation, goal, names)
        return
    rows, running = _rows(invocation, goal, names)
    if not any(row.state != "missing" for row in rows):
        _lost(invocation, goal)
    if as_json:
        invocation.json([_data(row) for row in rows])
    else:
        _show(invocation, rows, running)
    if running is not None:
        running.require_answers()


def _rows(
    invocation: Invocation, goal: Goal | None, services: Sequence[str]
) -> tuple[Sequence[Row], Running | None]:
    """The rows of a target, or of everything that is up, which is returned as well."""
    if goal is not None:
        from envctl.verbs import status as verb

        return verb.status(invocation.project, goal, services), None
    from envctl.verbs.list_environments import running

    everything = running(invocation.project)
    return everything.rows, everything


def _show(invocation: Invocation, rows: Sequence[Row], running: Running | None) -> None:
    if rows:
        invocation.out.table([_cells(row) for row in rows], head=_HEAD, styles=_STYLES)
    elif running is None or not running.unanswered:
        invocation.out.line("nothing is up")


def _watch(invocation: Invocation, goal: Goal | None, services: Sequence[str]) -> None:
    """Show the states whenever they change, until interrupted. On a terminal, clear the screen first."""
    from time import sleep

    shown: Sequence[Row] | None = None
    with suppress(KeyboardInterrupt):
        while True:
            rows, running = _rows(invocation, goal, services)
            if rows != shown:
                if invocation.out.terminal:
                    invocation.out.file.write(_CLEAR)
                elif shown is not None:
                    invocation.out.line()
                _show(invocation, rows, running)
                shown = rows
            sleep(_WATCH_PAUSE)


def _lost(invocation: Invocation, goal: Goal | None) -> None:
    """Note units that still run from a folder that the project has left."""
    from envctl.plan.target import Target as Goal
    from envctl.verbs import running_units as verb

    targets = [goal] if goal else map(Goal, invocation.project.environments())
    for target in targets:
        with suppress(EnvctlError):
            for text in verb.lost_environment(invocation.project, target):
                invocation.note(f"note: {text}")


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
