"""A command run in a unit's machine, as the unit's own process runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from envctl.backends.base import Execution
from envctl.backends.vagrant import container, guest, notes
from envctl.backends.vagrant.ssh import Machine
from envctl.errors import EnvctlError
from envctl.plan.model import Process


def run(unit: str, note: Mapping[str, Any], machine: Machine, execution: Execution) -> int | None:
    """Run it; its exit code, or None if the unit does not run. `note` is what the machine's stamp tells of the unit.

    The command itself finds out first whether the unit runs: its shell sees that at once, and a question to the init
    goes through the connection to an emulated machine and back.
    """
    room = guest.Room(unit, bool(note.get("shared")))
    main = machine.main_process(room.service) if room.shared else 0
    if room.shared and not main:
        return None
    script = f"{guest.insist(room)} {_script(room, note, execution, main)}"
    code = _run(unit, machine, execution, script)
    if code == guest.NOT_RUNNING and not machine.services([room.service])[room.service].is_running:
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


def _script(room: guest.Room, note: Mapping[str, Any], execution: Execution, main: int) -> str:
    process = _process(note)
    if note.get("contained"):
        told = Process((), execution.user, execution.workdir, execution.env)
        return container.command(
            execution.argv, process=told, tty=execution.tty, timeout=execution.timeout
        )
    return guest.command(
        execution.argv,
        process,
        room,
        user=execution.user,
        workdir=execution.workdir,
        env=execution.env,
        timeout=execution.timeout,
        main=main,
    )


def _process(note: Mapping[str, Any]) -> Process:
    """The process a unit was settled with."""
    made = notes.run_of(note).get("process", {})
    return Process(
        tuple(made.get("argv") or ()),
        made.get("user"),
        made.get("workdir"),
        made.get("env", {}),
        tuple(made.get("capabilities", ())),
    )
