"""Candidates that a shell shows when TAB is pressed: targets, services, variables, backends. No engine is asked.

Each function gets the beginning of the word, the arguments before it, and the project's folder.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from envctl.project import Project


def complete_target(begun: str, _before: Sequence[str], folder: Path) -> Sequence[str]:
    """The project's environments; after an @, the environment on each backend."""
    environment, at, _ = begun.partition("@")
    if at:
        from envctl.backends import backend_names

        return [f"{environment}@{name}" for name in backend_names()]
    from envctl.definition import environments, find_root

    return environments(find_root(folder))


def complete_target_or_service(begun: str, before: Sequence[str], folder: Path) -> Sequence[str]:
    """Targets, and the services of the default environment."""
    services = () if "@" in begun else complete_service(begun, before, folder)
    return tuple(dict.fromkeys((*complete_target(begun, before, folder), *services)))


def complete_service(_begun: str, before: Sequence[str], folder: Path) -> Sequence[str]:
    """The services of the environment named earlier on the line, or of the default one."""
    project = _project(folder)
    environment = _environment(project, before)
    return tuple(project.resolved(environment).data["services"]) if environment else ()


def complete_unit_and_command(begun: str, before: Sequence[str], folder: Path) -> Sequence[str]:
    """The target and the unit in `[TARGET] UNIT -- COMMAND`."""
    if not before:
        return complete_target_or_service(begun, before, folder)
    is_unit = len(before) == 1 and _is_target(_project(folder), before[0])
    return complete_service(begun, before, folder) if is_unit else ()


def complete_variable(begun: str, before: Sequence[str], folder: Path) -> Sequence[str]:
    """The variables of the spec, for `--set NAME=VALUE`."""
    project = _project(folder)
    names = [_environment(project, before), *project.environments()]
    environment = next(filter(None, names), "")
    if "=" in begun or not environment:
        return ()
    return [f"{name}=" for name in project.resolved(environment).data["vars"]]


def complete_backend(_begun: str, _before: Sequence[str], _folder: Path) -> Sequence[str]:
    """The backends."""
    from envctl.backends import backend_names

    return backend_names()


def _project(folder: Path) -> Project:
    from envctl.definition import find_root
    from envctl.project import Project

    return Project(find_root(folder), environ=os.environ)


def _environment(project: Project, before: Sequence[str]) -> str:
    """The environment named earlier on the line, or the default one; "" if neither is known."""
    if before and _is_target(project, before[0]):
        return before[0].partition("@")[0]
    from envctl.verbs.choose_target import configured_target

    choice = configured_target(project)
    return choice.target.environment if choice else ""


def _is_target(project: Project, word: str) -> bool:
    from envctl.verbs.choose_target import is_environment

    return "@" in word or is_environment(project, word)
