"""The variables of a running container that contain secrets, for commands that run beside its process."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from envctl.backends.base import Execution
from envctl.backends.common.secret_wrapper import recorded_variables
from envctl.backends.docker import container_paths
from envctl.backends.docker.containers import SECRETS_FOLDER, secret_file
from envctl.backends.docker.engine import Engine
from envctl.backends.docker.engine_api import EngineApi
from envctl.errors import EnvctlError
from envctl.plan.model import Secret
from envctl.plan.secret_templates import fill_in

_LARGEST: Final = 1024 * 1024
"""The maximum size of a secret that is read, in bytes."""


def with_variables(
    engine: Engine, unit: str, container: str, *, recorded: str, execution: Execution
) -> Execution:
    """The command with these variables of the unit; `recorded` is the run that the container was created for.

    Their values are those in the container, even if the spec or its sources have changed. The engine does not reveal
    the environment of such a command.
    """
    run = _run(recorded)
    variables = recorded_variables(run)
    missing = {name: text for name, text in variables.items() if name not in execution.env}
    if not missing or execution.everything:
        return execution
    with engine.doing(f"read the secrets of {unit}") as api:
        values = _Values(api, unit, container, run)
        env = {
            name: fill_in(template, values.value).decode("utf-8", "surrogateescape")
            for name, template in missing.items()
        }
    return replace(execution, env={**env, **execution.env})


class _Values:
    """The values of secrets in a container."""

    def __init__(
        self, api: EngineApi, unit: str, container: str, recorded_run: Mapping[str, Any]
    ) -> None:
        self._api = api
        self._unit = unit
        self._container = container
        self._files = {
            str(secret["name"]): secret_file(Secret(secret["name"], secret["target"]))
            for secret in recorded_run["secrets"]
        }
        self._known: dict[str, bytes] = {}

    def value(self, name: str) -> bytes:
        """The value of a secret. EnvctlError if the container has lost it."""
        if name not in self._known:
            path = f"{SECRETS_FOLDER}/{self._files[name]}"
            data = container_paths.read(self._api, self._container, path, largest=_LARGEST)
            if data is None:
                raise EnvctlError(
                    f"{self._unit} has lost the secret {name}", hint="`envctl up` starts it again"
                )
            self._known[name] = data
        return self._known[name]


def _run(recorded: str) -> Mapping[str, Any]:
    try:
        run = json.loads(recorded)
    except ValueError:
        return {}
    return run if isinstance(run, dict) else {}
