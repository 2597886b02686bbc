"""Removes an environment's network, even if the engine still lists containers that were removed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from envctl.backends.docker.engine_api import EngineApi
from envctl.backends.docker.engine_errors import ApiError, NotFoundError
from envctl.errors import EnvctlError

PATIENCE: Final = 20.0
"""How many seconds the engine's list of connected containers may lag; it does so when many are removed at once."""
_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 2.0
_IN_USE: Final = (403, 409)


def remove(api: EngineApi, network: Mapping[str, Any]) -> None:
    """Remove a network, if it exists. EnvctlError if containers are connected to it."""
    identity, name = str(network["Id"]), str(network["Name"])
    deadline, pause = time.monotonic() + PATIENCE, _PAUSE
    while True:
        try:
            api.remove_network(identity)
            return
        except NotFoundError:
            return
        except ApiError as error:
            if error.status not in _IN_USE:
                raise
            others = _let_go(api, identity)
            if others:
                raise _in_use(name, others) from error
            if time.monotonic() > deadline:
                raise _miscounted(name, str(error)) from error
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def _let_go(api: EngineApi, network: str) -> list[str]:
    """Disconnect removed containers that are still listed. Returns the names of existing ones."""
    try:
        listed = api.inspect_network(network).get("Containers") or {}
    except NotFoundError:
        return []
    present = []
    for identity, entry in listed.items():
        name = str((entry or {}).get("Name") or identity)
        if _exists(api, identity):
            present.append(name)
        else:
            with suppress(ApiError):
                api.disconnect(name, network, force=True)
    return sorted(present)


def _exists(api: EngineApi, container: str) -> bool:
    try:
        api.inspect_container(container)
    except NotFoundError:
        return False
    return True


def _in_use(name: str, containers: list[str]) -> EnvctlError:
    shown = " ".join(containers)
    return EnvctlError(
        f"the network {name} cannot be removed: {', '.join(containers)} "
        + ("is" if len(containers) == 1 else "are")
        + " connected to it and not managed by envctl",
        hint=f"`docker network disconnect {name} {containers[0]}` (for each of: {shown}); then run the same command again",
    )


def _miscounted(name: str, message: str) -> EnvctlError:
    return EnvctlError(
        f"the network {name} cannot be removed: the engine lists connected containers that do not exist",
        details=message,
        hint="everything else is removed. Restart the engine to correct its list (`sudo systemctl restart docker`), then run"
        " the same command again",
    )
