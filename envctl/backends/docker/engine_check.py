"""Checks whether an engine can be used: it answers, is new enough, and runs Linux containers."""

from __future__ import annotations

from typing import Final

from envctl.backends.docker.engine import Engine, version_numbers
from envctl.errors import EnvctlError

OLDEST_API: Final = "1.41"
"""Docker 20.10, the first whose API builds with BuildKit for clients other than its own."""


def check(engine: Engine) -> None:
    """EnvctlError, with a remedy, unless the engine can be used."""
    with engine.doing("talk to the Docker engine") as api:
        version = api.version()
    if version_numbers(str(version["ApiVersion"])) < version_numbers(OLDEST_API):
        raise EnvctlError(
            f"the Docker engine at {engine.endpoint} is too old: {version.get('Version')}",
            hint="Docker 20.10 or later is needed",
        )
    system = str(version.get("Os") or _os_type(engine))
    if system != "linux":
        raise EnvctlError(
            f"the Docker engine at {engine.endpoint} runs {system} containers",
            hint="switch it to Linux containers",
        )


def _os_type(engine: Engine) -> str:
    """The operating system of the engine's containers. EnvctlError if the engine does not report it."""
    with engine.doing("read the engine's system information") as api:
        system = str(api.info().get("OSType") or "")
    if not system:
        raise EnvctlError(
            f"the Docker engine at {engine.endpoint} does not report which containers it runs",
            hint="`docker info` shows what answers there and its errors",
        )
    return system
