"""A command run in a unit's machine, as the unit's own process runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from envctl.backends.common.termination import VARIABLE
from envctl.backends.common.ulimits import limits
from envctl.backends.vagrant import exec_stream, machine_stamp, process
from envctl.backends.vagrant.unit_paths import UnitPaths

if TYPE_CHECKING:
    from envctl.backends.base import Execution
    from envctl.backends.vagrant.ssh import Machine

_SLACK: Final = 10.0
"""Seconds that a command has beyond its own time before its machine ends it."""


def run(unit: str, note: Mapping[str, Any], machine: Machine, execution: Execution) -> int | None:
    """Run it; its exit code, or None if the unit does not run. `note` is what the machine's stamp tells of the unit.

    The command itself finds out first whether the unit runs: its shell sees that at once, and a question to the init
    goes through the connection to an emulated machine and back.
    """
    paths = UnitPaths(unit, bool(note.get("shared")))
    main = machine.main_process(paths.service) if paths.shared else 0
    if paths.shared and not main:
        return None

    def script(mark: str) -> str:
        return f"{process.require_running(paths)} {_script(paths, note, execution, main, mark)}"

    code = exec_stream.run(unit, machine, execution, script)
    if (
        code == process.NOT_RUNNING
        and not machine.services([paths.service])[paths.service].is_running
    ):
        return None
    return code


def _script(
    paths: UnitPaths, note: Mapping[str, Any], execution: Execution, main: int, mark: str
) -> str:
    # It is ended from here; inside, in case that nobody is here any more.
    timeout = execution.timeout + _SLACK if execution.timeout else None
    marked = {VARIABLE: mark}
    if note.get("contained"):
        from envctl.backends.vagrant import container

        return container.command(
            execution.argv,
            user="0" if execution.everything else execution.user,
            everything=execution.everything,
            workdir=execution.workdir,
            env={**execution.env, **marked},
            tty=execution.tty,
            timeout=timeout,
        )
    if execution.everything:
        return process.unconfined(execution.argv, main=main, env=marked, timeout=timeout)
    run = machine_stamp.run_of(note)
    unit_process = run.get("process", {})
    return process.command(
        execution.argv,
        paths,
        user=execution.user or unit_process.get("user"),
        workdir=execution.workdir or unit_process.get("workdir"),
        env={**unit_process.get("env", {}), **execution.env, **marked},
        capabilities=unit_process.get("capabilities", ()),
        limits=limits(run.get("options", {})),
        timeout=timeout,
        main=main,
    )
