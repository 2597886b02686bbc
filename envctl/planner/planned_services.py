"""What services came to in a run's earlier environments: one that is the same in the next is not planned again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

from envctl.errors import Problem
from envctl.plan.model import Unit
from envctl.planner.build import package_layers
from envctl.planner.service_context import ServiceContext

Planned: TypeAlias = tuple[Sequence[Unit], Sequence[Problem]]
"""The units of a service, and what is wrong with them."""

_LATEST: Final = 4
"""How many forms of a service are remembered: to compare with all would cost the square of the environments."""


class PlannedServices:
    """The services planned so far, each with all that its units are decided from.

    For one look at a project: its files are taken to stay as they are.
    """

    def __init__(self) -> None:
        self._known: dict[str, deque[tuple[object, Planned]]] = {}

    def planned(
        self, context: ServiceContext, plan: Callable[[ServiceContext], Planned]
    ) -> Planned:
        """What `plan` makes of a service, or has made of its like."""
        known = self._known.setdefault(context.name, deque(maxlen=_LATEST))
        inputs = _inputs(context)
        for former, planned in known:
            if former == inputs:
                return planned
        planned = plan(context)
        known.appendleft((inputs, planned))
        return planned


def _inputs(context: ServiceContext) -> tuple[object, ...]:
    """All that the units of a service are decided from, but for the project's files."""
    service, data = context.service, context.resolved.data
    steps = service["build"]
    secrets = [use["name"] for use in service["secrets"]]
    secrets += [name for step in steps if step["step"] == "run" for name in step["secrets"]]
    return (
        context.backend,
        context.template_digest,
        package_layers(context),
        service,
        context.resolved.origins.of_service(context.name),
        [problem for name, problem in context.resolved.missing_files if name == context.name],
        [data["secrets"][name]["env"] for name in secrets],
        data["vars"] if any(step["step"] == "template" for step in steps) else None,
        context.users if steps and _names_others(context) else None,
    )


def _names_others(context: ServiceContext) -> bool:
    """Whether a step of the build gives files to a user who may be another service's, or runs as one."""
    steps: Sequence[Mapping[str, object]] = context.service["build"]
    owners = (str(step.get("owner") or step.get("user") or "") for step in steps)
    named = {name for owner in owners for name in owner.split(":")}
    return not named <= {context.user, "root", ""}
