"""Finds out whether units still have their secrets, which are in memory as long as a container mounts them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from envctl.backends.docker import container_paths
from envctl.backends.docker import names as n
from envctl.backends.docker.containers import SECRETS_FOLDER, secret_file
from envctl.backends.docker.engine import Engine
from envctl.backends.docker.engine_api import EngineApi
from envctl.backends.docker.names import Names
from envctl.backends.docker.owned_containers import Listed
from envctl.plan.model import Secret

_ALIVE = frozenset({"running", "paused"})


def held_volumes(secrets_containers: Iterable[Listed]) -> frozenset[str]:
    """The in-memory volumes that a running secrets container mounts."""
    return frozenset(
        mount.get("Name", "")
        for container in secrets_containers
        if container["State"] in _ALIVE
        for mount in container.get("Mounts", ())
    )


def secrets_defect(
    engine: Engine, names: Names, container: Listed, secrets_containers: Sequence[Listed]
) -> tuple[str, bool]:
    """The problem with the secrets of a unit's container, and whether the container must be restarted because of it."""
    volume = names.secrets(container["Labels"][n.UNIT])
    mounted = any(mount.get("Name") == volume for mount in container.get("Mounts", ()))
    ended_well = str(container.get("Status", "")).startswith("Exited (0)")
    if (
        container["State"] == "created"
        or not mounted
        or ended_well
        or volume in held_volumes(secrets_containers)
    ):
        return "", False
    reason = f"the container that kept them is {'stopped' if secrets_containers else 'removed'}"
    with engine.doing("look for secrets") as api:
        if has_secrets(api, container):
            return f"its secrets will be lost when it exits: {reason}", False
    return f"its secrets are lost: {reason}", container["State"] in _ALIVE


def has_secrets(api: EngineApi, container: Listed) -> bool:
    """Whether a running container has all its secret files."""
    if container["State"] not in _ALIVE:
        return False
    files = _files(container["Labels"])
    return bool(files) and all(
        container_paths.look(api, container["Id"], f"{SECRETS_FOLDER}/{file}") is not None
        for file in files
    )


def _files(labels: Mapping[str, str]) -> Sequence[str]:
    """The secret files that a container should have according to its label; none if the label cannot be read."""
    try:
        secrets = json.loads(labels.get(n.RUN, ""))["secrets"]
        return [secret_file(Secret(secret["name"], secret["target"])) for secret in secrets]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return []
