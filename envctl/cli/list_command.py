"""list: show the environments of all projects on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envctl.cli.declare import AsJson, without_spec
from envctl.cli.invocation import Invocation

if TYPE_CHECKING:
    from envctl.plan.scope import FoundEnvironment

_HEAD = ("PROJECT", "ENVIRONMENT", "BACKEND", "STATE", "ID", "VOLUMES", "FOLDER")


@without_spec
def list_environments(invocation: Invocation, *, as_json: AsJson = False) -> None:
    """Show every environment on this machine, of all projects and on all backends.

    Includes environments whose project folder was moved or deleted. `envctl down ENV@BACKEND --id ID` removes one from
    any folder.

    Examples:
        envctl list
        envctl list --json

    JSON: a list of objects with `project`, `environment`, `backend`, `id`, `folder`, `exists` (whether the folder
    exists), `units`, `running` (those that run) and `volumes`.
    """
    show_environments(invocation, as_json=as_json)


def show_environments(invocation: Invocation, *, as_json: bool) -> None:
    """Print all environments, and a note for each engine that did not answer."""
    from envctl.verbs.adopt import everything

    environments, unanswered = everything(invocation.reporter)
    for text in unanswered:
        invocation.note(f"note: {text}")
    if as_json:
        invocation.json([_data(environment) for environment in environments])
    elif environments:
        rows = [_cells(environment) for environment in environments]
        invocation.out.table(rows, head=_HEAD, styles={})
        _note_lost(invocation, environments)
    else:
        invocation.out.line("nothing is up")


def _note_lost(invocation: Invocation, environments: tuple[FoundEnvironment, ...]) -> None:
    """Note how to remove an environment whose folder is gone."""
    lost = next((environment for environment in environments if environment.is_lost), None)
    if lost is not None:
        target = f"{lost.scope.environment}@{lost.backend}"
        # Without units, only its data remains.
        option = "" if lost.units else " --volumes"
        command = f"envctl down {target} --id {lost.scope.project_id}{option}"
        invocation.note(f"note: `{command}` removes an environment whose folder no longer exists")


def _data(environment: FoundEnvironment) -> dict[str, object]:
    return {
        "project": environment.scope.project,
        "environment": environment.scope.environment,
        "backend": environment.backend,
        "id": environment.scope.project_id,
        "folder": environment.scope.root,
        "exists": not environment.is_lost,
        "units": list(environment.units),
        "running": list(environment.running),
        "volumes": list(environment.volumes),
    }


def _cells(environment: FoundEnvironment) -> tuple[str, ...]:
    scope = environment.scope
    suffix = " (gone)" if environment.is_lost else ""
    return (
        scope.project,
        scope.environment,
        environment.backend,
        _state(environment),
        scope.project_id,
        " ".join(environment.volumes),
        f"{scope.root}{suffix}",
    )


def _state(environment: FoundEnvironment) -> str:
    count, running = len(environment.units), len(environment.running)
    if not count:
        return "data only"
    return f"{running} of {count} running"
