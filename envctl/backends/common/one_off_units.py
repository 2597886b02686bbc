"""The unit that a one-off is: a service's or task's, for another command. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from envctl.plan.model import Restart, Unit

if TYPE_CHECKING:
    from envctl.backends.base import Execution


def one_off_unit(unit: Unit, name: str, execution: Execution) -> Unit:
    """The unit, named otherwise and with the command, without what others find or restart it by.

    An execution without a command keeps the unit's own.
    """
    process = unit.run.process
    process = replace(
        process,
        argv=execution.argv or process.argv,
        user=process.user if execution.user is None else execution.user,
        workdir=process.workdir if execution.workdir is None else execution.workdir,
        env={**process.env, **execution.env},
    )
    run = replace(unit.run, process=process, ports=(), probe=None, restart=Restart.NO, aliases=())
    return replace(unit, name=name, run=run)
