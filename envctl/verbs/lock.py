"""Supplies the lock with sessions, for lock, lock --check and up --frozen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from envctl.backends import backend_names, open_backend
from envctl.backends.base import Backend, ImageEngine, MachineBuilds
from envctl.definition.names import no_environments
from envctl.host.private_state import private_folder
from envctl.host.run_lock import exclusive
from envctl.lock.check import compare_with_lock
from envctl.lock.create import create_lock
from envctl.lock.file import existing_lock
from envctl.lock.frozen import FrozenBuilds
from envctl.lock.lock_builder import InputsOf
from envctl.lock.lock_differences import LockDifference
from envctl.lock.model import Lock
from envctl.lock.requests import BuildRequest, build_requests
from envctl.plan.build_secrets import secret_names, secrets_to_build
from envctl.plan.changes import Change
from envctl.plan.target import DEFAULT_BACKEND, Target
from envctl.progress import Progress
from envctl.project import Project
from envctl.session import Session
from envctl.session.build_options import BuildOptions


def lock(
    project: Project,
    environments: Sequence[str] = (),
    *,
    update: Sequence[str] | None = None,
    vendor: bool = False,
) -> tuple[Lock, tuple[LockDifference, ...]]:
    """Lock the builds of these environments, or of all. Returns the lock and the changes.

    With `update`, these services and bases, or all if it is empty, are rebuilt with the newest versions. With `vendor`,
    the package files are kept.
    """
    with exclusive(private_folder(project.root, "locks"), "lock", project.report):
        sessions = _image_sessions(project, environments)
        return create_lock(
            project.root,
            _requests(sessions),
            SharedBuilder(sessions),
            environments={session.target.environment for session in sessions},
            update=update,
            vendor=vendor,
            complete=not environments,
        )


def check_lock(project: Project, environments: Sequence[str] = ()) -> tuple[LockDifference, ...]:
    """The differences between the lock, the spec, and the images built here."""
    sessions = _image_sessions(project, environments)
    return compare_with_lock(
        existing_lock(project.root),
        _requests(sessions),
        SharedBuilder(sessions),
        complete=not environments,
    )


def freeze(session: Session, *, offline: bool) -> tuple[Session, FrozenBuilds]:
    """A session of the same target whose builds must match the lock, and those builds.

    EnvctlError if the lock belongs to another spec.
    """
    # Plan on the container engine: another backend may merge units in its plan.
    image_target = Target(session.target.environment, DEFAULT_BACKEND)
    image_session = Session(session.project, image_target, services=session.services)

    frozen = FrozenBuilds(
        existing_lock(session.project.root),
        _requests([image_session]),
        session.plan,
        SessionBuilder(session),
        offline=offline,
    )
    frozen.require_same_spec({unit.service for unit in session.select(session.services).units})
    options = BuildOptions(inputs=frozen.build_inputs, have_base=frozen.ensure_base)
    return session.with_builds(options), frozen


def _image_sessions(project: Project, environments: Sequence[str]) -> Sequence[Session]:
    """Sessions of environments on the container engine. Machines are built from the same images."""
    names = tuple(environments) or project.environments()
    if not names:
        raise no_environments(project.root)
    project = project.with_all_profiles()
    return [Session(project, Target(name, DEFAULT_BACKEND)) for name in names]


def _requests(sessions: Sequence[Session]) -> tuple[BuildRequest, ...]:
    requests = [
        request
        for session in sessions
        for request in build_requests(
            session.target.environment,
            session.plan,
            where=session.resolved.where if session.resolved else None,
        )
    ]
    return tuple(sorted(requests, key=lambda request: request.name))


class SessionBuilder:
    """Builds for one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def engine(self) -> ImageEngine:
        """The session's container engine."""
        return self._session.engine

    @property
    def machine_backends(self) -> Iterator[MachineBuilds]:
        """Every backend that makes machines, for the session's environment."""
        context = self._session.context
        backends = (open_backend(name, context) for name in backend_names())
        return (backend for backend in backends if isinstance(backend, MachineBuilds))

    def report(self, progress: Progress) -> None:
        """Report progress through the session."""
        self._session.report(progress)

    def build(
        self, changes: Sequence[Change], inputs: InputsOf, *, backend: Backend | None = None
    ) -> None:
        """Make builds with the session's secrets."""
        from envctl.reconcile.executor import apply_changes

        session = self._session.with_builds(replace(self._session.builds, inputs=inputs))
        session.secrets.require_for_builds(changes)
        apply_changes(changes, backend or session.engine, session.report, mask=session.store.masked)


class SharedBuilder(SessionBuilder):
    """Builds for several sessions on the engine of the first.

    An image that several environments share gets the secrets of the first environment that declares them.
    """

    def __init__(self, sessions: Sequence[Session]) -> None:
        super().__init__(sessions[0])
        self._sessions = sessions

    def build(
        self, changes: Sequence[Change], inputs: InputsOf, *, backend: Backend | None = None
    ) -> None:
        """Make builds after the user has approved what their secrets read from this host."""
        from envctl.reconcile.executor import apply_changes

        providers = {
            name: next(
                session for session in self._sessions if name in secret_names(session.plan.units)
            )
            for name in secrets_to_build(changes)
        }
        for session in dict.fromkeys(providers.values()):
            session.require_approval()

        def mask(text: str) -> str:
            for session in dict.fromkeys(providers.values()):
                text = session.store.masked(text)
            return text

        def report(progress: Progress) -> None:
            self.report(replace(progress, text=mask(progress.text)))

        def secret(name: str) -> bytes:
            return providers[name].store.value(name)

        session = self._session.with_builds(BuildOptions(inputs=inputs, secret=secret))
        apply_changes(changes, backend or session.engine, report, mask=mask)
