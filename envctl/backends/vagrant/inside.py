"""A command run in a unit's machine, as the unit's own process runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from envctl.backends.vagrant import notes, process
from envctl.backends.vagrant.room import Room
from envctl.errors import EnvctlError

if TYPE_CHECKING:
    from envctl.backends.base import Execution
    from envctl.backends.vagrant.ssh import Machine


def run(unit: str, note: Mapping[str, Any], machine: Machine, execution: Execution) -> int | None:
    """Run it; its exit code, or None if the unit does not run. `note` is what the machine's stamp tells of the unit.

    The command itself finds out first whether the unit runs: its shell sees that at once, and a question to the init
    goes through the connection to an emulated machine and back.
    """
    room = Room(unit, bool(note.get("shared")))
    main = machine.main_process(room.service) if room.shared else 0
    if room.shared and not main:
        return None
    script = f"{process.insist(room)} {_script(room, note, execution, main)}"
    code = _run(unit, machine, execution, script)
    if (
        code == process.NOT_RUNNING
        and not machine.services([room.service])[room.service].is_running
    ):
        return None
    return code


def _run(unit: str, machine: Machine, execution: Execution, script: str) -> int:
    if execution.tty:
        return machine.terminal(script)
    try:
        return machine.stream(
            script,
            stdin=execution.stdin,
            stdout=execution.stdout,
            stderr=execution.stderr,
            timeout=execution.timeout,
        )
    except TimeoutError as error:
        raise EnvctlError(
            f"{unit}: `{execution.shown}` did not end within {execution.timeout:g} s",
            hint="it was ended; give it more time, or look at what it waits for",
        ) from error


def _script(room: Room, note: Mapping[str, Any], execution: Execution, main: int) -> str:
    if note.get("contained"):
        from envctl.backends.vagrant import container

        return container.command(
            execution.argv,
            user="0" if execution.everything else execution.user,
            everything=execution.everything,
            workdir=execution.workdir,
            env=execution.env,
            tty=execution.tty,
            timeout=execution.timeout,
        )
    if execution.everything:
        return process.unconfined(execution.argv, main=main, timeout=execution.timeout)
    own = notes.run_of(note).get("process", {})
    return process.command(
        execution.argv,
        room,
        user=execution.user or own.get("user"),
        workdir=execution.workdir or own.get("workdir"),
        env={**own.get("env", {}), **execution.env},
        capabilities=own.get("capabilities", ()),
        timeout=execution.timeout,
        main=main,
    )
