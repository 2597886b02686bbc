"""One-offs: commands that run beside a unit in its machine, with its environment and rights, even if it is stopped."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from envctl.backends.common.one_off_units import one_off_unit
from envctl.backends.common.termination import VARIABLE
from envctl.backends.common.ulimits import limits
from envctl.backends.vagrant.unit import container, exec_stream, process_scripts
from envctl.backends.vagrant.unit.secret_exports import secret_exports
from envctl.backends.vagrant.unit.unit_paths import UnitPaths
from envctl.plan.digest import plain

if TYPE_CHECKING:
    from envctl.backends.base import Execution
    from envctl.backends.vagrant.ssh.ssh_machine import SshMachine
    from envctl.plan.model import Unit


def run(unit: Unit, machine: SshMachine, execution: Execution, *, shared: bool) -> int:
    """Run a command, by default the unit's own; its exit code. `shared` says whether the unit shares its machine."""
    paths = UnitPaths(unit.name, shared)

    def marked_script(mark: str) -> str:
        # The mark identifies all its processes, if they must be killed.
        marked = replace(execution, env={**execution.env, VARIABLE: mark})
        return script(one_off_unit(unit, unit.name, marked), paths, tty=execution.tty)

    return exec_stream.run(unit.name, machine, execution, marked_script)


def script(unit: Unit, paths: UnitPaths, *, tty: bool) -> str:
    """The shell command that runs the process of a one-off's unit. Pure."""
    if container.runs_in_container(unit):
        return container.one_off_command(unit, tty=tty)
    process = unit.run.process
    return process_scripts.command(
        process.argv or (),
        paths,
        user=process.user,
        workdir=process.workdir,
        env=process.env,
        capabilities=process.capabilities,
        limits=limits(unit.run.options),
        apart=True,
        secret_exports=secret_exports(plain(unit.run), paths),
    )
