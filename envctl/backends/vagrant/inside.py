"""A command run in a unit's machine, as the unit's own process runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from envctl.backends.base import Execution
from envctl.backends.vagrant import container, guest, question
from envctl.backends.vagrant.ssh import Machine
from envctl.errors import EnvctlError
from envctl.plan.model import Process

NOT_RUNNING: Final = 213
"""The exit code of a command that was not run since its unit does not run; a command may end with it, too."""


def run(unit: str, note: Mapping[str, Any], machine: Machine, execution: Execution) -> int:
    """Run it; its exit code. `note` is what the machine's stamp tells of the unit."""
    room = guest.Room(unit, bool(note.get("shared")))
    script = (
        f"case $(systemctl show --property=SubState --value {room.service}) in"
        f" dead|exited|failed|auto-restart) exit {NOT_RUNNING};; esac; "
        + _script(room, note, execution)
    )
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
            f"{unit}: `{' '.join(execution.argv)}` did not end within {execution.timeout:g} s",
            hint="it was ended; give it more time, or look at what it waits for",
        ) from error


def _script(room: guest.Room, note: Mapping[str, Any], execution: Execution) -> str:
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
    )


def _process(note: Mapping[str, Any]) -> Process:
    """The process a unit was settled with."""
    made = question.run_of(note).get("process", {})
    return Process(
        tuple(made.get("argv") or ()),
        made.get("user"),
        made.get("workdir"),
        made.get("env", {}),
        tuple(made.get("capabilities", ())),
    )
