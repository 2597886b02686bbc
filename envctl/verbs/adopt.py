"""Environments wherever they are: of projects whose folder was moved or deleted, and of all others on this machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from envctl.backends import backend_names, open_backend
from envctl.backends.base import Backend, Context, FindsEnvironments
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
    """All environments on this machine's engines, and of each engine that could not be asked, why."""
    found: list[FoundEnvironment] = []
    silent: list[str] = []
    for name in backend_names():
        backend = open_backend(name, Context(_NOBODY, report=report))
        try:
            found += of_engine(backend)
        except EnvctlError as error:
            silent.append(f"{name} could not be asked: {error.brief}")
        finally:
            backend.close()
    return tuple(found), tuple(silent)


def of_engine(backend: Backend) -> Sequence[FoundEnvironment]:
    """The environments of one engine, each with the folder in which its project is now."""
    if not isinstance(backend, FindsEnvironments):
        return ()
    moved = homes()
    return [_located(one, moved.get(one.scope.project_id)) for one in backend.everything()]


def _located(found: FoundEnvironment, moved: tuple[str, str] | None) -> FoundEnvironment:
    scope = found.scope
    if moved:
        home, root = moved
        name = scope.project or Path(home).name
        return replace(found, scope=replace(scope, project=name, home=home, root=root))
    if not scope.root:
        return replace(found, scope=replace(scope, root=f"/unknown/{scope.project or 'project'}"))
    return found


def lost(backend: Backend, own: Scope, *, environment: str = "") -> Sequence[FoundEnvironment]:
    """What of a project was brought up from a folder that does not exist any more; of one environment, or of all."""
    return [
        one
        for one in of_engine(backend)
        if one.is_lost
        and one.scope.project == own.project
        and one.scope.project_id != own.project_id
        and environment in ("", one.scope.environment)
    ]


def lost_text(found: FoundEnvironment) -> str:
    """What is to be said of it, with what can be done."""
    scope = found.scope
    what = "is up" if found.units else "has data"
    target = f"{scope.environment}@{found.backend}"
    return (
        f"{scope.environment} of {scope.project} {what} on {found.backend} from {scope.root}, which does not exist"
        f" any more: `envctl adopt {target}` takes it over, `envctl down {target} --id {scope.project_id}` removes it"
    )


def home_of_found(found: FoundEnvironment) -> str:
    """The folder that it is known by. EnvctlError if nobody knows any more."""
    for home in (found.scope.home, found.scope.root):
        if home and identify(home) == found.scope.project_id:
            return home
    raise EnvctlError(
        f"{found.scope.environment} on {found.backend} does not tell where it was brought up from",
        hint=f"`envctl down {found.scope.environment}@{found.backend} --id {found.scope.project_id}` removes it",
    )


def choose(
    found: Sequence[FoundEnvironment], identity: str, *, environment: str = "", backend: str = ""
) -> FoundEnvironment:
    """The one environment that an id, with as much of a target as was given, means. UsageError if it is not one."""
    same = [one for one in found if one.scope.project_id == identity]
    chosen = [
        one
        for one in same
        if environment in ("", one.scope.environment) and backend in ("", one.backend)
    ]
    if len(chosen) == 1:
        return chosen[0]
    targets = ", ".join(f"{one.scope.environment}@{one.backend}" for one in chosen or same)
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
    own: Scope,
    *,
    force: bool,
    identity: str,
    again: Callable[[], Backend],
) -> FoundEnvironment:
    """Give the folder of `own` what its environment has up from another; `again` opens the backend as it is then."""
    one = _to_adopt(backend, own, identity)
    if not one.is_lost and not force:
        raise EnvctlError(
            f"{own.environment}@{backend.name} of {own.project} belongs to {one.scope.root}, which still exists",
            hint="this folder is a copy: `up` brings up one of its own; --force takes the other's over",
        )
    former = Path(one.scope.root)
    checkouts.adopt(former, home_of_found(one), Path(own.root))
    if isinstance(after := again(), FindsEnvironments):
        after.moved(state_path(former))
    return one


def _to_adopt(backend: Backend, own: Scope, identity: str) -> FoundEnvironment:
    found = [
        one
        for one in of_engine(backend)
        if one.scope.project_id != own.project_id
        and one.scope.environment == own.environment
        and (one.scope.project == own.project or one.scope.project_id == identity)
    ]
    if identity:
        return choose(found, identity)
    candidates = [one for one in found if one.is_lost] or found
    if not candidates:
        raise EnvctlError(
            f"nothing of {own.environment}@{backend.name} of {own.project} was brought up from another folder",
            hint="`envctl list` shows all that there is",
        )
    if len(candidates) > 1:
        raise EnvctlError(
            f"{own.environment}@{backend.name} of {own.project} was brought up from several folders",
            details="\n".join(f"{one.scope.project_id}  {one.scope.root}" for one in candidates),
            hint="say which with --id",
        )
    return candidates[0]


def take_down(
    found: FoundEnvironment,
    *,
    volumes: bool,
    report: Report,
    decided: Callable[[Sequence[Change]], None],
) -> tuple[Change, ...]:
    """Take down an environment, whose project need not be there any more; its data only with `volumes`."""
    scope = found.scope
    root = Path(scope.root)
    backend = open_backend(found.backend, Context(scope, report=report))
    name = f"{scope.environment}@{found.backend}"
    with exclusive(likely_folder(root, "locks"), name, report):
        backend.check()
        observed = backend.observe()
        changes = compare.down(observed, volumes=volumes)
        decided(changes)
        apply_changes(changes, backend, report)
        if volumes:
            SecretStore(root, scope.environment, {}, environ=os.environ).release(found.backend)
        if text := down_summary(changes, observed.volumes, {}):
            report(Progress(name, Stage.NOTE, text))
    backend.close()
    return changes


def adopt_environment(
    project: Project, target: Target, *, force: bool = False, identity: str = ""
) -> FoundEnvironment:
    """Take over what was brought up of an environment from a folder that is gone; with `force`, from any.

    The whole checkout is taken over: all its environments, its keys and its generated secrets.
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
    """EnvctlError, which says what is in the way, if a folder has something of an environment already."""
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
