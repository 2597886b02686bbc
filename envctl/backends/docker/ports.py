"""Finds out which container uses a port of this host."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from envctl.backends.common.port_conflict import port_taken
from envctl.backends.docker import names as n
from envctl.backends.docker.engine_api import EngineApi
from envctl.backends.docker.owned_containers import Listed
from envctl.errors import EnvctlError
from envctl.plan.model import Unit


def in_use(api: EngineApi, port: int, unit: Unit, *, message: str = "") -> EnvctlError:
    """The error for a unit whose port is in use; `message` is the engine's error."""
    holder = _holder(api.containers(), port)
    if holder is None:
        return port_taken(unit, port, message=message)
    labels = holder["Labels"]
    name = str(holder["Names"][0]).lstrip("/")
    by, remedy = f"the container {name}", f"stop it: `docker stop {name}`"
    if environment := labels.get(n.ENVIRONMENT):
        project, root = labels.get(n.PROJECT, ""), labels.get(n.ROOT, "")
        by += f", of the environment {environment} of {project}" + (f" in {root}" if root else "")
        remedy = f"`envctl down {environment}`" + (f" in {root}" if root else "") + " frees it"
        if root and not Path(root).is_dir():
            # The folder was moved or deleted, so the user cannot run envctl there.
            by += ", which does not exist any more"
            identity = labels.get(n.PROJECT_ID, "")
            remedy = f"`envctl down {environment}@docker --id {identity}` frees it"
    return port_taken(unit, port, by=by, remedy=remedy)


def published_ports(api: EngineApi) -> frozenset[int]:
    """All ports that running containers publish on the engine's host."""
    return frozenset(
        int(bound["PublicPort"])
        for container in api.containers()
        for bound in container["Ports"] or ()
        if bound.get("PublicPort")
    )


def _holder(listed: Iterable[Listed], port: int) -> Listed | None:
    return next(
        (
            container
            for container in listed
            for bound in container["Ports"] or ()
            if bound.get("PublicPort") == port
        ),
        None,
    )
