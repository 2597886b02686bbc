"""The secrets that a service uses: as files, and in environment variables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from envctl.plan.model import Secret
from envctl.plan.secret_templates import secrets_of

if TYPE_CHECKING:
    from envctl.definition.keys.service import ServiceData
    from envctl.planner.service_context import ServiceContext

_FOLDER: Final = "/run/secrets"


def plain_env(service: ServiceData) -> Mapping[str, str]:
    """Return the variables whose values are in the spec."""
    return {name: value for name, value in service["env"].items() if isinstance(value, str)}


def secret_env(service: ServiceData) -> Mapping[str, str]:
    """Return the variables that are made of secrets, by name their templates."""
    from envctl.definition.keys.service_values import as_template

    return {
        name: as_template(value)
        for name, value in service["env"].items()
        if not isinstance(value, str)
    }


def secrets(context: ServiceContext) -> tuple[Secret, ...]:
    """Return the secrets of a service. A secret that is used only in variables is a hidden file, from which the variables are set."""
    service, declared = context.service, context.resolved.data["secrets"]
    targets = {use["name"]: use["target"] for use in service["secrets"]}
    for template in secret_env(service).values():
        for name in secrets_of(template):
            targets.setdefault(name, f"{_FOLDER}/.{name}")
    return tuple(
        Secret(name, target, env=declared[name]["env"] or "") for name, target in targets.items()
    )
