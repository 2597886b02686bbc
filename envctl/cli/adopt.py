"""adopt: what a folder that was moved had up."""

from __future__ import annotations

import sys
from typing import Annotated

from envctl.cli.arguments import Target
from envctl.cli.declare import AsJson, Option
from envctl.cli.invocation import Invocation
from envctl.errors import EnvctlError


def adopt(
    invocation: Invocation,
    target: Target = None,
    *,
    identity: Annotated[
        str | None, Option(("--id",), "Which one, by its id, if there are several.")
    ] = None,
    force: Annotated[
        bool, Option(("--force",), "Take it over though the other folder still exists.")
    ] = False,
    yes: Annotated[bool, Option(("--yes", "-y"), "With --force: do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take over what was brought up from a folder that was moved or deleted.

    What is up, its data, its keys and its generated secrets belong to this folder from then on; nothing is restarted.
    A copy of a folder takes nothing over unless it is forced to: what is up belongs to the other one.

    JSON: an object with `environment`, `backend`, `id`, `former` (the folder it was brought up from), `units`, `volumes`.
    """
    goal = invocation.target(target)
    if force and not yes and not _confirmed(invocation):
        raise EnvctlError("not confirmed: nothing was changed", hint="--yes confirms it")
    found = invocation.project.adopt(goal, force=force, identity=identity or "")
    if as_json:
        invocation.json(
            {
                "environment": goal.environment,
                "backend": found.backend,
                "id": found.scope.project_id,
                "former": found.scope.root,
                "units": list(found.units),
                "volumes": list(found.volumes),
            }
        )
        return
    units = ", ".join(found.units) or "no units"
    invocation.out.line(
        invocation.out.safe(f"{goal.environment}@{found.backend} is this folder's now: {units}")
    )


def _confirmed(invocation: Invocation) -> bool:
    """Whether whoever sits at the terminal says yes."""
    if sys.stdin is None or not sys.stdin.isatty():
        return False
    invocation.err.file.write(
        "The other folder loses what it has up, its data and its secrets. Go on? [y/N] "
    )
    invocation.err.file.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
