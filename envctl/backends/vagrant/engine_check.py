"""Checks that this host can run machines."""

from __future__ import annotations

import shutil

from envctl.errors import EnvctlError
from envctl.host import architectures


def check() -> None:
    """Raise EnvctlError unless the host's architecture is supported and all programs are installed.

    The first request to libvirt shows whether it answers.
    """
    architectures.require()
    for program in ("virsh", "vagrant", "ssh"):
        if shutil.which(program) is None:
            raise EnvctlError(
                f"{program} is not installed",
                hint="`envctl doctor --backend vagrant` shows how to install it",
            )
