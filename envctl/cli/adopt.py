"""adopt: take over an environment that was started from a folder since moved."""

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
        str | None,
        Option(("--id",), "The id of the environment to take over, if there are several."),
    ] = None,
    force: Annotated[
        bool, Option(("--force",), "Take it over even though the other folder still exists.")
    ] = False,
    yes: Annotated[
        bool, Option(("--yes", "-y"), "With --force: do not ask for confirmation.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Take over an environment that was started from a folder since moved or deleted.

    Its units, data, keys and generated secrets then belong to this folder. Nothing is restarted. If the other folder
    still exists, this folder is a copy, and taking over needs --force.

    Examples:
        envctl adopt dev
        envctl adopt dev --id 81226ebc

    JSON: an object with `environment`, `backend`, `id`, `former` (the folder it was started from), `units`, `volumes`.
    """
    goal = invocation.target(target)
    if force and not yes and not _confirmed(invocation):
        raise EnvctlError("not confirmed; nothing was changed", hint="--yes skips the question")
    from envctl.verbs import adopt as verb

    adopted = verb.adopt_environment(invocation.project, goal, force=force, identity=identity or "")
    if as_json:
        invocation.json(
            {
                "environment": goal.environment,
                "backend": adopted.backend,
                "id": adopted.scope.project_id,
                "former": adopted.scope.root,
                "units": list(adopted.units),
                "volumes": list(adopted.volumes),
            }
        )
        return
    units = ", ".join(adopted.units) or "no units"
    invocation.out.line(
        invocation.out.safe(
            f"{goal.environment}@{adopted.backend} now belongs to this folder: {units}"
        )
    )


def _confirmed(invocation: Invocation) -> bool:
    """Ask for confirmation on the terminal. False if there is no terminal."""
    if sys.stdin is None or not sys.stdin.isatty():
        return False
    invocation.err.file.write(
        "The other folder loses its running units, data and secrets. Continue? [y/N] "
    )
    invocation.err.file.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
