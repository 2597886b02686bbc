"""Runs a command in a unit's machine with the user, environment and limits of the unit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from envctl.backends.common.termination import VARIABLE
from envctl.backends.common.ulimits import limits
from envctl.backends.vagrant.machine import machine_stamp
from envctl.backends.vagrant.unit import exec_stream, process_scripts
from envctl.backends.vagrant.unit.secret_exports import secret_exports, variable_names
from envctl.backends.vagrant.unit.unit_paths import UnitPaths

if TYPE_CHECKING:
    from envctl.backends.base import Execution
    from envctl.backends.vagrant.ssh.ssh_machine import SshMachine

_SLACK: Final = 10.0
"""How many seconds after its timeout the machine kills a command, in case envctl is gone."""


def run(
    unit: str, note: Mapping[str, Any], machine: SshMachine, execution: Execution
) -> int | None:
    """Run a command; its exit code, or None if the unit is not running. `note` is the unit's note in the stamp.

    The command's own shell first checks whether the unit is running. That is instant, while asking systemd takes tenths
    of a second in an emulated machine.
    """
    paths = UnitPaths(unit, bool(note.get("shared")))
    main = machine.main_process(paths.service) if paths.shared else 0
    if paths.shared and not main:
        return None

    def script(mark: str) -> str:
        return f"{process_scripts.require_running(paths)} {_script(paths, note, execution, main, mark)}"

    code = exec_stream.run(unit, machine, execution, script)
    if (
        code == process_scripts.NOT_RUNNING
        and not machine.services([paths.service])[paths.service].is_running
    ):
        return None
    return code


def _script(
    paths: UnitPaths, note: Mapping[str, Any], execution: Execution, main: int, mark: str
) -> str:
    # envctl kills the command at its timeout. The machine does so later, in case envctl was killed.
    timeout = execution.timeout + _SLACK if execution.timeout else None
    marked = {VARIABLE: mark}
    run = machine_stamp.run_of(note)
    exports = secret_exports(run, paths, without=execution.env)
    if note.get("contained"):
        from envctl.backends.vagrant.unit import container

        return container.command(
            execution.argv,
            user="0" if execution.everything else execution.user,
            everything=execution.everything,
            workdir=execution.workdir,
            env={**execution.env, **marked},
            tty=execution.tty,
            timeout=timeout,
            secret_exports="" if execution.everything else exports,
            secret_names=variable_names(run, without=execution.env),
        )
    if execution.everything:
        return process_scripts.unconfined(execution.argv, main=main, env=marked, timeout=timeout)
    unit_process = run.get("process", {})
    return process_scripts.command(
        execution.argv,
        paths,
        user=execution.user or unit_process.get("user"),
        workdir=execution.workdir or unit_process.get("workdir"),
        env={**unit_process.get("env", {}), **execution.env, **marked},
        capabilities=unit_process.get("capabilities", ()),
        limits=limits(run.get("options", {})),
        timeout=timeout,
        main=main,
        secret_exports=exports,
    )
