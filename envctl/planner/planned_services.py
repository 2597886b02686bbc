"""Services planned for earlier environments of a run: an equal one in the next environment is not planned again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

from envctl.definition.stage_names import all_steps
from envctl.errors import Problem
from envctl.plan.model import Unit
from envctl.plan.secret_templates import secrets_of
from envctl.planner.build import package_layers
from envctl.planner.service_context import ServiceContext
from envctl.planner.service_secrets import secret_env

Planned: TypeAlias = tuple[Sequence[Unit], Sequence[Problem]]
"""The units of a service, and their problems."""

_LATEST: Final = 4
"""How many variants of a service are remembered. Comparing with all would take quadratic time."""


class PlannedServices:
    """The services planned so far, each with everything that its units depend on.

    For one run only: it assumes that the project's files do not change.
    """

    def __init__(self) -> None:
        self._known: dict[str, deque[tuple[object, Planned]]] = {}

    def planned(
        self, context: ServiceContext, plan: Callable[[ServiceContext], Planned]
    ) -> Planned:
        """Return the result of `plan` for a service, or the remembered one for an equal service."""
        known = self._known.setdefault(context.name, deque(maxlen=_LATEST))
        inputs = _inputs(context)
        for former, planned in known:
            if former == inputs:
                return planned
        planned = plan(context)
        known.appendleft((inputs, planned))
        return planned


def _inputs(context: ServiceContext) -> tuple[object, ...]:
    """Everything that the units of a service depend on, except the project's files."""
    service, data = context.service, context.resolved.data
    steps = all_steps(service)
    secrets = [use["name"] for use in service["secrets"]]
    secrets += [name for template in secret_env(service).values() for name in secrets_of(template)]
    secrets += [name for step in steps if step["step"] == "run" for name in step["secrets"]]
    return (
        context.backend,
        context.template_digest,
        package_layers(context),
        service,
        context.owner,
        context.host_users,
        context.resolved.origins.of_service(context.name),
        [problem for name, problem in context.resolved.missing_files if name == context.name],
        [data["secrets"][name]["env"] for name in secrets],
        data["vars"] if any(step["step"] == "template" for step in steps) else None,
        context.users if steps and _names_others(context) else None,
    )


def _names_others(context: ServiceContext) -> bool:
    """Whether a build step refers to a user who may be another service's."""
    steps: Sequence[Mapping[str, object]] = all_steps(context.service)
    owners = (str(step.get("owner") or step.get("user") or "") for step in steps)
    named = {name for owner in owners for name in owner.split(":")}
    return not named <= {context.user, "root", ""}
