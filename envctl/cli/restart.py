"""restart: restart units."""

from __future__ import annotations

from typing import Annotated

from envctl.cli.arguments import Services, TargetOrService
from envctl.cli.declare import AsJson, Option
from envctl.cli.invocation import Invocation
from envctl.cli.up import Yes, announce_all, show_result


def restart(
    invocation: Invocation,
    target: TargetOrService = None,
    services: Services = None,
    *,
    no_deps: Annotated[
        bool, Option(("--no-deps",), "Do not restart the services that depend on these.")
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Restart units and wait until they are ready.

    Without SERVICE, restarts every service that exists. Running services that depend on a restarted one are restarted
    after it is ready. Containers, machines and data are kept; a unit that no longer matches the spec is replaced, as by
    `up`.

    Examples:
        envctl restart dev
        envctl restart dev web --no-deps

    JSON: an object with `environment`, `backend`, `changes` (as in `plan`) and `addresses` (unit name to list).
    """
    invocation.yes = yes
    goal, selected = invocation.target_and_services(target, services)
    from envctl.verbs import restart as verb

    result = verb.restart(
        invocation.project,
        goal,
        services=selected,
        dependents=not no_deps,
        decided=announce_all(invocation, goal, as_json=as_json),
    )
    show_result(invocation, goal, result, as_json=as_json)
