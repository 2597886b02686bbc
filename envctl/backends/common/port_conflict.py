"""The error for a port of this host that is in use: the same on all backends."""

from __future__ import annotations

from envctl.errors import EnvctlError
from envctl.plan.model import Unit


class PortTakenError(EnvctlError):
    """A unit's port is in use; `by` names its user, "" if unknown."""

    unit: Unit
    port: int
    by: str


def port_taken(
    unit: Unit, port: int, *, by: str = "", remedy: str = "", message: str = ""
) -> PortTakenError:
    """The error for a unit whose port is in use, with the place and variable that chose the port.

    `by` names the user of the port, if known; `message` is the error of the program that failed.
    """
    where = unit.where_port(port)
    note = where.note if where else ""
    error = PortTakenError(
        f"cannot start {unit.name}: port {port} is already in use" + (f" by {by}" if by else ""),
        details="\n".join(filter(None, [note, message.strip()])),
        hint=f"{remedy or f'`lsof -i :{port}` shows which process uses it'};"
        " or `envctl up --free-ports` takes free ports in this checkout; or "
        + ("give that variable another value" if note else "choose another port in the spec"),
        where=where,
    )
    error.unit, error.port, error.by = unit, port, by
    return error
