"""version: print the versions of envctl, Python and the system."""

from __future__ import annotations

import os
import sys

from envctl import __version__
from envctl.cli.declare import AsJson, without_spec
from envctl.cli.invocation import Invocation


@without_spec
def version(invocation: Invocation, *, as_json: AsJson = False) -> None:
    """Print the version of envctl, of Python and of the system.

    Examples:
        envctl version
        envctl version --json

    JSON: an object with `envctl`, `python` and `system`.
    """
    host = os.uname()
    python = ".".join(map(str, sys.version_info[:3]))
    system = f"{host.sysname} {host.release} {host.machine}"
    if as_json:
        invocation.json({"envctl": __version__, "python": python, "system": system})
        return
    invocation.out.line(f"envctl {__version__}")
    invocation.out.line(invocation.out.safe(f"Python {python}, {system}"))
