"""Chooses the target and services of a command that does not name both."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from envctl.definition.names import (
    default_environment,
    misnamed,
    no_environments,
    with_files,
)
from envctl.errors import EnvctlError, UsageError
from envctl.lazy_dataclass import dataclass
from envctl.plan.target import Target
from envctl.project import Project
from envctl.suggest import did_you_mean

VARIABLE = "ENVCTL_ENV"
"""The environment variable that names a target; it takes precedence over the spec's `default`."""


@dataclass(frozen=True, slots=True)
class TargetChoice:
    """A target, its services that were named (() for all), and the reason for the choice.

    `reason` is "" if the user named the target, or if the project has no other.
    """

    target: Target
    services: tuple[str, ...] = ()
    reason: str = ""


def choose_target(project: Project, words: Sequence[str] = ()) -> TargetChoice:
    """The target and the services in the words `[TARGET] [SERVICE…]`.

    A first word that is a service but no environment means a service of the default target. UsageError if the target
    remains unknown.
    """
    if not words:
        return default_target(project)
    name, *services = words
    if "@" in name or is_environment(project, name):
        return TargetChoice(Target.parse(name), tuple(services))
    try:
        choice = default_target(project)
    except UsageError as error:
        raise UsageError(f"there is no environment {name!r}", hint=error.hint) from error
    if not _has_unit(project, choice.target, name):
        _require_environment(project, choice.target, name)
        return TargetChoice(Target.parse(name), tuple(services))
    return TargetChoice(choice.target, tuple(words), choice.reason)


def default_target(project: Project) -> TargetChoice:
    """The target of a command that names none: the configured one, or else the only one that is up."""
    choice = configured_target(project)
    if choice is None and not project.environments():
        raise no_environments(project.root)
    return choice or _only_one_up(project)


def configured_target(project: Project) -> TargetChoice | None:
    """The target in ENVCTL_ENV or in the spec's `default`, or the only one of the project. Asks no engine."""
    if text := project.environ.get(VARIABLE):
        target = Target.parse(text)
        _require_known(project, target.environment, f"{VARIABLE} is {text!r}")
        return TargetChoice(target, reason=f"from {VARIABLE}")
    if default := default_environment(project.root):
        name, place = default
        _require_known(project, name, f"{place}: default is {name!r}")
        alone = project.environments() == (name,)
        reason = "" if alone else f"the default in {place.file}:{place.line}"
        return TargetChoice(Target(name), reason=reason)
    names = project.environments()
    return TargetChoice(Target(names[0])) if len(names) == 1 else None


def is_environment(project: Project, name: str) -> bool:
    """Whether the project has an environment of this name."""
    if name in with_files(project.root):
        return True
    try:
        # An earlier run cached it. The cache does not list inline environments, and reading them requires parsing YAML.
        project.resolved(name)
    except EnvctlError:
        names = project.environments()
        # A broken file may define inline environments that cannot be read.
        return name in names or not names
    return True


def _only_one_up(project: Project) -> TargetChoice:
    from envctl.verbs.list_environments import targets_up

    targets = targets_up(project)
    if len(targets) == 1:
        return TargetChoice(targets[0], reason="the only one that is up")
    names = ", ".join(map(str, targets or project.environments()))
    several = f"{len(targets)} are up, " if targets else ""
    raise UsageError(
        "no environment named",
        hint=f"{several}name one of: {names}; or write `default: NAME` in envctl.yaml, or set {VARIABLE}",
    )


def _require_known(project: Project, name: str, problem: str) -> None:
    if not is_environment(project, name):
        hint = did_you_mean(name, project.environments())
        raise UsageError(f"{problem}, and there is no environment {name!r}", hint=hint)


def _has_unit(project: Project, target: Target, name: str) -> bool:
    """Whether the environment has a service or unit of this name, in the spec or on the engine."""
    return name in _declared(project, target) or name in _observed(project, target)


def _declared(project: Project, target: Target) -> set[str]:
    with suppress(EnvctlError):
        services = project.resolved(target.environment, allow_missing_files=True).data["services"]
        return {
            word
            for name, service in services.items()
            for word in (name, *(f"{name}-{n}" for n in range(2, service["replicas"] + 1)))
        }
    return set()


def _observed(project: Project, target: Target) -> set[str]:
    """The services and units that exist on the engine; the spec may no longer have them, or may be broken."""
    from envctl.session import Session

    with suppress(EnvctlError):
        units = Session.of_existing(project, target).backend.observe().units
        return {word for state in units.values() for word in (state.name, state.service)}
    return set()


def _require_environment(project: Project, target: Target, name: str) -> None:
    """UsageError if a word names no service of the default target and no environment, in the spec or on the engine."""
    from envctl.session import Session

    try:
        Session.of_existing(project, Target(name))
    except UsageError as error:
        if misnamed(project.root, name):
            raise
        known = {*_declared(project, target), *project.environments()}
        raise UsageError(
            f"there is no environment {name!r}, and {target.environment} has no service {name!r}",
            hint=did_you_mean(name, known),
        ) from error
