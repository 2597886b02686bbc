"""Lists a project's environments that exist on any engine, including those removed from the spec."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from envctl.backends import backend_names, is_backend
from envctl.backends.base import FindsEnvironments, NoEngineError
from envctl.backends.common.parallel import all_at_once
from envctl.errors import EnvctlError, UsageError
from envctl.host.private_state import existing_folder
from envctl.lazy_dataclass import dataclass
from envctl.plan.state import Status
from envctl.plan.target import Target
from envctl.project import Project
from envctl.session import Session
from envctl.verbs.status import VOLUME, Row, status, unknown_rows

_ANY = "any"
"""A placeholder for the environment's name when a backend is asked for all environments."""


@dataclass(frozen=True, slots=True)
class Running:
    """The rows of all that is up, and the errors of engines that did not answer."""

    rows: Sequence[Row]
    unanswered: Sequence[EnvctlError]

    def require_answers(self) -> None:
        """EnvctlError if an engine did not answer and may have units of the project."""
        if len(self.unanswered) == 1:
            raise self.unanswered[0]
        if self.unanswered:
            raise EnvctlError(
                f"{len(self.unanswered)} engines do not answer",
                details="\n\n".join(str(error) for error in self.unanswered),
            )


def running(project: Project) -> Running:
    """The state of every environment that exists on an engine."""
    names = project.environments()
    existing = dict(all_at_once(lambda name: (name, _existing(project, name)), backend_names()))
    targets = _targets(project, names, existing)
    rows: list[Row] = []
    errors: dict[str, EnvctlError] = {}
    for target in targets:
        try:
            found_rows = status(project, target)
        except UsageError as error:
            # The environment is neither in the spec nor on the engine; or its engine does not answer.
            if isinstance(error.__cause__, EnvctlError):
                _note(errors, error.__cause__)
            continue
        except EnvctlError as error:
            if _note(errors, error):
                rows += unknown_rows(Session(project, target), error.brief)
            continue
        is_up = any(row.state != Status.MISSING and row.kind != VOLUME for row in found_rows)
        rows += found_rows if is_up else ()
    return Running(rows, tuple(errors.values()))


def targets_up(project: Project) -> Sequence[Target]:
    """The project's targets that have units. An engine that does not answer counts as empty."""
    by_backend = all_at_once(lambda name: (name, _existing(project, name)), backend_names())
    return [Target(name, backend) for backend, names in by_backend for name in names]


def _targets(
    project: Project, names: Iterable[str], existing: Mapping[str, Sequence[str]]
) -> Sequence[Target]:
    """Targets that may exist: named by a run's lock or an engine, otherwise on the backend that the spec chooses."""
    targets: dict[Target, None] = {}
    locked = _locked(project)
    for name in names:
        known = {target.backend for target in locked if target.environment == name}
        known |= {backend for backend, its in existing.items() if name in its}
        targets |= dict.fromkeys(Target(name, backend) for backend in sorted(filter(None, known)))
        targets |= {} if known else {Target(name): None}
    for backend, its in existing.items():
        targets |= dict.fromkeys(Target(name, backend) for name in its)
    return tuple({**targets, **dict.fromkeys(locked)})


def _note(errors: dict[str, EnvctlError], error: EnvctlError) -> bool:
    """Record an error once; False if this machine lacks that engine, so that nothing can be up on it."""
    if isinstance(error, NoEngineError):
        return False
    errors.setdefault(error.brief, error)
    return True


def _existing(project: Project, backend: str) -> Sequence[str]:
    """The environments that have units on an engine; none if the engine does not answer."""
    try:
        engine = Session(project, Target(_ANY, backend), allow_invalid_spec=True).backend
        return engine.environments() if isinstance(engine, FindsEnvironments) else ()
    except EnvctlError:
        return ()


def _locked(project: Project) -> Sequence[Target]:
    """Targets that `up` or `down` was ever run for from this folder. Their lock files remain."""
    folder = existing_folder(project.root, "locks")
    files = sorted(folder.glob("*@*.lock")) if folder else ()
    names = (file.stem.partition("@") for file in files)
    return [Target(name, backend) for name, _, backend in names if name and is_backend(backend)]
