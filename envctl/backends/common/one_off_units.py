"""The unit of a one-off: a service or task with another command. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from envctl.plan.model import Restart, Unit

if TYPE_CHECKING:
    from envctl.backends.base import Execution


def one_off_unit(unit: Unit, name: str, execution: Execution) -> Unit:
    """The unit with another name and command, without ports, probe, restarts and aliases.

    Without a command in the execution, the unit's own is used.
    """
    process = unit.run.process
    process = replace(
        process,
        argv=execution.argv or process.argv,
        user=process.user if execution.user is None else execution.user,
        workdir=process.workdir if execution.workdir is None else execution.workdir,
        env={**process.env, **execution.env},
        secret_env={
            name: template
            for name, template in process.secret_env.items()
            if name not in execution.env
        },
    )
    run = replace(unit.run, process=process, ports=(), probe=None, restart=Restart.NO, aliases=())
    return replace(unit, name=name, run=run)
