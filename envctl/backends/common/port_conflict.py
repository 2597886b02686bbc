"""A port of the host that somebody else has: told alike by all backends."""

from __future__ import annotations

from envctl.errors import EnvctlError
from envctl.plan.model import Unit


class PortTakenError(EnvctlError):
    """A unit cannot have its port; `by` is who has it, "" if nobody knows."""

    unit: Unit
    port: int
    by: str


def port_taken(
    unit: Unit, port: int, *, by: str = "", remedy: str = "", said: str = ""
) -> PortTakenError:
    """The error for a unit that cannot have its port: the place that chose it, and the variable if one did.

    `by` is who has it, as far as that is known, `said` what a program said.
    """
    where = unit.where_port(port)
    note = where.note if where else ""
    error = PortTakenError(
        f"cannot start {unit.name}: port {port} is in use already" + (f" by {by}" if by else ""),
        details="\n".join(filter(None, [note, said.strip()])),
        hint=f"{remedy or f'`lsof -i :{port}` shows by whom'}; or "
        + ("give that variable another value" if note else "write another port in the spec"),
        where=where,
    )
    error.unit, error.port, error.by = unit, port, by
    return error
