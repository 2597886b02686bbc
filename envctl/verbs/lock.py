"""lock, lock --check, and up --frozen: what sessions give the lock to work with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from envctl.backends import backend_names, open_backend
from envctl.backends.base import Backend, ImageEngine, MachineBuilds
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
from envctl.progress import Progress
from envctl.session import Session


def lock(
    root: Path,
    sessions: Sequence[Session],
    *,
    update: Sequence[str] | None = None,
    vendor: bool = False,
    complete: bool = False,
) -> tuple[Lock, tuple[LockDifference, ...]]:
    """Write the lock of some environments, or of the complete project; the lock, and what changed.

    The sessions are those of a container engine: machines are made from the same images. See `create_lock`.
    """
    return create_lock(
        root,
        _requests(sessions),
        SharedBuilder(sessions),
        environments={session.target.environment for session in sessions},
        update=update,
        vendor=vendor,
        complete=complete,
    )


def check_lock(
    root: Path, sessions: Sequence[Session], *, complete: bool
) -> tuple[LockDifference, ...]:
    """The differences between the lock, the spec, and the images built here."""
    return compare_with_lock(
        existing_lock(root), _requests(sessions), SharedBuilder(sessions), complete=complete
    )


def freeze(root: Path, session: Session, image_session: Session, *, offline: bool) -> FrozenBuilds:
    """Have a session's builds match the lock from now on.

    `image_session` is the same environment on a container engine: a backend may combine units of its own plan.
    """
    frozen = FrozenBuilds(
        existing_lock(root),
        _requests([image_session]),
        session.plan,
        SessionBuilder(session),
        backend=session.backend,
        offline=offline,
    )
    session.build_inputs = frozen.build_inputs
    session.have_base = frozen.ensure_base
    return frozen


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
        """Report as the session does."""
        self._session.report(progress)

    def build(
        self, changes: Sequence[Change], inputs: InputsOf, *, backend: Backend | None = None
    ) -> None:
        """Carry out builds with the session's secrets."""
        from envctl.reconcile.executor import apply_changes

        session = self._session
        session.build_inputs = inputs
        session.require_build_secrets(changes)
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
        """Carry out builds, once the user has approved what their secrets read from this host."""
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

        first, before = self._session, self._session.build_inputs
        first.secret = lambda name: providers[name].store.value(name)
        first.build_inputs = inputs
        try:
            apply_changes(changes, backend or first.engine, report, mask=mask)
        finally:
            # Other builds, such as those of machines, are not part of the lock.
            first.build_inputs = before
