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


def run(machine: Machine, container_script: ContainerScript) -> bytes:
    """Run the script as the machine's root; its output. EnvctlError if it fails, does not end, or tells beyond measure."""
    told, said = Kept(), bytearray()

    def complain(data: bytes) -> None:
        said.extend(data)
        del said[:-_SHOWN]

    what = f"look into the machine of {machine.unit}"
    try:
        code = machine.stream(
            shlex.join(
                ("/bin/sh", "-c", container_script.script, "errand", *container_script.arguments)
            ),
            stdin=None,
            stdout=told,
            stderr=complain,
            timeout=container_script.timeout,
        )
    except TimeoutError as error:
        raise EnvctlError(
            f"cannot {what}: its script did not end within {container_script.timeout:g} s"
        ) from error
    if code:
        raise EnvctlError(
            f"cannot {what}: its script ended with exit code {code}",
            details=said.decode("utf-8", "replace"),
        )
    if told.too_much:
        most = TOLD // (1 << 20)
        raise EnvctlError(f"cannot {what}: what it tells is more than {most} MB")
    return told.data
