"""Finds environments on this machine, and takes over those whose project folder was moved or deleted."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from envctl.backends import backend_names, open_backend
from envctl.backends.base import Backend, Context, FindsEnvironments, NoEngineError
from envctl.errors import EnvctlError, UsageError
from envctl.host import checkout_id as checkouts
from envctl.host.checkout_id import homes, identify
from envctl.host.private_state import likely_folder, private_folder, state_path
from envctl.host.run_lock import exclusive
from envctl.plan.changes import Change
from envctl.plan.scope import FoundEnvironment, Scope
from envctl.plan.target import Target
from envctl.progress import Progress, Report, Stage
from envctl.project import Project
from envctl.reconcile import compare
from envctl.reconcile.down_summary import down_summary
from envctl.reconcile.executor import apply_changes
from envctl.secrets import SecretStore
from envctl.session import Session

_NOBODY = Scope("", "", "", "/")


def everything(report: Report) -> tuple[tuple[FoundEnvironment, ...], tuple[str, ...]]:
    """All environments on this machine's engines, and why engines did not answer, if any."""
    environments: list[FoundEnvironment] = []
    unanswered: list[str] = []
    for name in backend_names():
        backend = open_backend(name, Context(_NOBODY, report=report))
        try:
            environments += of_engine(backend)
        except NoEngineError:
            # Without an engine, no environment can exist.
            continue
        except EnvctlError as error:
            unanswered.append(f"{name} could not be asked: {error.brief}")
        finally:
            backend.close()
    return tuple(environments), tuple(unanswered)


def of_engine(backend: Backend) -> Sequence[FoundEnvironment]:
    """The environments of one engine, each with the present folder of its project."""
    if not isinstance(backend, FindsEnvironments):
        return ()
    moved = homes()
    return [
        _located(environment, moved.get(environment.scope.project_id))
        for environment in backend.everything()
    ]


def _located(environment: FoundEnvironment, moved: tuple[str, str] | None) -> FoundEnvironment:
    scope = environment.scope
    if moved:
        home, root = moved
        name = scope.project or Path(home).name
        return replace(environment, scope=replace(scope, project=name, home=home, root=root))
    if not scope.root:
        root = f"/unknown/{scope.project or 'project'}"
        return replace(environment, scope=replace(scope, root=root))
    return environment


def lost(backend: Backend, scope: Scope, *, environment: str = "") -> Sequence[FoundEnvironment]:
    """Environments of a project that were started from a folder that no longer exists; all, or only the named one."""
    return [
        other
        for other in of_engine(backend)
        if other.is_lost
        and other.scope.project == scope.project
        and other.scope.project_id != scope.project_id
        and environment in ("", other.scope.environment)
    ]


def lost_text(environment: FoundEnvironment) -> str:
    """A sentence about an environment whose folder is gone, with the commands to take it over or to remove it."""
    scope = environment.scope
    what = "is up" if environment.units else "has data"
    target = f"{scope.environment}@{environment.backend}"
    return (
        f"{scope.environment} of {scope.project} {what} on {environment.backend} from {scope.root}, which no longer"
        f" exists: `envctl adopt {target}` takes it over, `envctl down {target} --id {scope.project_id}` removes it"
    )


def home_of_found(environment: FoundEnvironment) -> str:
    """The folder that an environment's id is derived from. EnvctlError if it is unknown."""
    scope = environment.scope
    for home in (scope.home, scope.root):
        if home and identify(home) == scope.project_id:
            return home
    raise EnvctlError(
        f"{scope.environment} on {environment.backend} does not record which folder it was started from",
        hint=f"`envctl down {scope.environment}@{environment.backend} --id {scope.project_id}` removes it",
    )


def choose(
    environments: Sequence[FoundEnvironment],
    identity: str,
    *,
    environment: str = "",
    backend: str = "",
) -> FoundEnvironment:
    """The environment with this id; name and backend narrow the choice. UsageError if not exactly one matches."""
    same = [each for each in environments if each.scope.project_id == identity]
    chosen = [
        each
        for each in same
        if environment in ("", each.scope.environment) and backend in ("", each.backend)
    ]
    if len(chosen) == 1:
        return chosen[0]
    targets = ", ".join(f"{each.scope.environment}@{each.backend}" for each in chosen or same)
    if chosen:
        raise UsageError(f"{identity} has several environments", hint=f"name one: {targets}")
    if same:
        named = f"{environment}@{backend}" if environment and backend else environment or backend
        raise UsageError(f"{identity} has no environment {named!r}", hint=f"it has {targets}")
    raise UsageError(
        f"nothing on this machine has the id {identity!r}",
        hint="`envctl list` shows all, with their ids",
    )


def adopt(
    backend: Backend,
    scope: Scope,
    *,
    force: bool,
    identity: str,
    again: Callable[[], Backend],
) -> FoundEnvironment:
    """Give the folder of `scope` the environment that was started from another folder.

    `again` reopens the backend after the checkout got its new id.
    """
    environment = _to_adopt(backend, scope, identity)
    if not environment.is_lost and not force:
        raise EnvctlError(
            f"{scope.environment}@{backend.name} of {scope.project} belongs to {environment.scope.root}, which still"
            " exists",
            hint="this folder is a copy: `up` creates a separate environment; --force takes over the existing one",
        )
    former = Path(environment.scope.root)
    checkouts.adopt(former, home_of_found(environment), Path(scope.root))
    if isinstance(after := again(), FindsEnvironments):
        after.moved(state_path(former))
    return environment


def _to_adopt(backend: Backend, scope: Scope, identity: str) -> FoundEnvironment:
    others = [
        other
        for other in of_engine(backend)
        if other.scope.project_id != scope.project_id
        and other.scope.environment == scope.environment
        and (other.scope.project == scope.project or other.scope.project_id == identity)
    ]
    if identity:
        return choose(others, identity)
    candidates = [other for other in others if other.is_lost] or others
    name = f"{scope.environment}@{backend.name} of {scope.project}"
    if not candidates:
        raise EnvctlError(
            f"no other folder has {name}",
            hint="`envctl list` shows all environments on this machine",
        )
    if len(candidates) > 1:
        raise EnvctlError(
            f"{name} was brought up from several folders",
            details="\n".join(
                f"{other.scope.project_id}  {other.scope.root}" for other in candidates
            ),
            hint="say which with --id",
        )
    return candidates[0]


def take_down(
    environment: FoundEnvironment,
    *,
    volumes: bool,
    report: Report,
    decided: Callable[[Sequence[Change]], None],
) -> tuple[Change, ...]:
    """Take down an environment, whose project folder need not exist. Deletes its data only with `volumes`."""
    scope = environment.scope
    root = Path(scope.root)
    backend = open_backend(environment.backend, Context(scope, report=report))
    name = f"{scope.environment}@{environment.backend}"
    with exclusive(likely_folder(root, "locks"), name, report):
        backend.check()
        observed = backend.observe()
        changes = compare.down(observed, volumes=volumes)
        decided(changes)
        apply_changes(changes, backend, report)
        if volumes:
            SecretStore(root, scope.environment, {}, environ=os.environ).release(
                environment.backend
            )
        if text := down_summary(changes, observed.volumes, {}):
            report(Progress(name, Stage.NOTE, text))
    backend.close()
    return changes


def adopt_environment(
    project: Project, target: Target, *, force: bool = False, identity: str = ""
) -> FoundEnvironment:
    """Take over an environment that was started from a folder since deleted; with `force`, from any folder.

    This takes over the whole checkout: all its environments, its keys and its generated secrets.
    """
    session = Session(project, target)
    with exclusive(private_folder(project.root, "locks"), "adopt", project.report):
        _require_free(session)
        return adopt(
            session.backend,
            session.plan.scope,
            force=force,
            identity=identity,
            again=lambda: Session(project, target).backend,
        )


def _require_free(session: Session) -> None:
    """EnvctlError, with the environment in the way, if a folder already has one."""
    observed, name = session.observe(), session.id
    if observed.units:
        raise EnvctlError(
            f"{name} is up from this folder, too: {', '.join(observed.units)}",
            hint=f"`envctl down {name} --volumes` takes that down and deletes its data; then adopt the other",
        )
    if observed.volumes:
        volumes = ", ".join(sorted(observed.volumes))
        raise EnvctlError(
            f"{name} is not up, but this folder has data of it already: {volumes}",
            hint=f"`envctl down {name} --volumes` deletes that data; then adopt the other",
        )
