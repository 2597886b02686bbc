"""Who holds a port of the host: a container, as far as the engine knows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from envctl.backends.docker import names as n
from envctl.backends.docker.client import ANOTHER_PORT
from envctl.backends.docker.observe import Listed
from envctl.errors import EnvctlError, Place


def in_use(api: Any, port: int, unit: str, *, where: Place | None = None) -> EnvctlError | None:
    """The error for a unit whose port a container holds; None if it is none of the engine's."""
    holder = _holder(api.containers(), port)
    if holder is None:
        return None
    labels = holder["Labels"]
    name = str(holder["Names"][0]).lstrip("/")
    by, remedy = f"the container {name}", f"stop it: `docker stop {name}`"
    if environment := labels.get(n.ENVIRONMENT):
        project, root = labels.get(n.PROJECT, ""), labels.get(n.ROOT, "")
        by += f", of the environment {environment} of {project}" + (f" in {root}" if root else "")
        remedy = f"`envctl down {environment}`" + (f" in {root}" if root else "") + " frees it"
    return EnvctlError(
        f"cannot start {unit}: port {port} is in use already by {by}",
        hint=f"{remedy}; or {ANOTHER_PORT}",
        where=where,
    )


def _holder(listed: Iterable[Listed], port: int) -> Listed | None:
    return next(
        (one for one in listed for bound in one["Ports"] or () if bound.get("PublicPort") == port),
        None,
    )
