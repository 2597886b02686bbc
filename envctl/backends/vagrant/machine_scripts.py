"""Scripts in a machine that is built in: to look into it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final

from envctl.backends.common.build_inputs import ContainerScript
from envctl.backends.common.capped import TOLD, Kept
from envctl.errors import EnvctlError

if TYPE_CHECKING:
    from envctl.backends.vagrant.ssh import Machine

_SHOWN: Final = 4096
"""How much of its last words an error shows, in bytes."""


def run(machine: Machine, script: ContainerScript) -> bytes:
    """Run the script as the machine's root; its output. EnvctlError if it fails, does not end, or tells beyond measure."""
    stdout, stderr = Kept(), bytearray()

    def keep_last(data: bytes) -> None:
        stderr.extend(data)
        del stderr[:-_SHOWN]

    action = f"look into the machine of {machine.unit}"
    try:
        code = machine.stream(
            shlex.join(("/bin/sh", "-c", script.script, "errand", *script.arguments)),
            stdin=None,
            stdout=stdout,
            stderr=keep_last,
            timeout=script.timeout,
        )
    except TimeoutError as error:
        raise EnvctlError(
            f"cannot {action}: its script did not end within {script.timeout:g} s"
        ) from error
    if code:
        raise EnvctlError(
            f"cannot {action}: its script ended with exit code {code}",
            details=stderr.decode("utf-8", "replace"),
        )
    if stdout.too_much:
        most = TOLD // (1 << 20)
        raise EnvctlError(f"cannot {action}: what it tells is more than {most} MB")
    return stdout.data
