"""status: what is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from envctl.cli.arguments import Target
from envctl.cli.declare import AsJson
from envctl.cli.session import Session

if TYPE_CHECKING:
    from envctl.status import Row

_HEAD = ("ENVIRONMENT", "BACKEND", "UNIT", "STATE", "HEALTH", "ADDRESSES", "CAUSE")

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


def status(session: Session, target: Target = None, *, as_json: AsJson = False) -> None:
    """Show the state of every unit.

    Those of TARGET, or without it of all environments that are up, also of those that were taken out of the spec. An
    engine that does not answer is an error, told after what the others say.

    JSON: a list of objects with `environment`, `backend`, `service`, `replica`, `unit`, `kind`,
    `state`, `health`, `addresses` and `cause` (why it is not as the spec wants it, or ""). A `kind` of "volume" is a
    volume, named in `unit`, that is kept and not in the spec any more. `state` is `missing`, `created`, `starting`, `running`,
    `restarting`, `paused`, `stopped` (by envctl), `exited`, `completed`, `failed`, `oom-killed`, `unreachable` or `unknown`,
    of a volume `unused`.
    """
    everything = None
    if target:
        rows: Sequence[Row] = session.workspace.status(session.target(target))
    else:
        from envctl.running import running

        everything = running(session.workspace)
        rows = everything.rows
    if as_json:
        session.json([_data(row) for row in rows])
    elif rows:
        session.out.table([_cells(row) for row in rows], head=_HEAD, styles=_STYLES)
    elif everything is None or not everything.unanswered:
        session.out.line("nothing is up")
    if everything is not None:
        everything.insist()


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
