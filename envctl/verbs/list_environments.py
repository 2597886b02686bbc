"""What of a project is up, wherever that is: in the spec or taken out of it, on all engines that answer."""

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
"""A name for the environment of a backend that is asked for all there are."""


@dataclass(frozen=True, slots=True)
class Running:
    """The rows of all that is up; of what cannot be told, too, and why it cannot."""

    rows: Sequence[Row]
    unanswered: Sequence[EnvctlError]

    def require_answers(self) -> None:
        """EnvctlError if an engine did not answer that may have something of the project."""
        if len(self.unanswered) == 1:
            raise self.unanswered[0]
        if self.unanswered:
            raise EnvctlError(
                f"{len(self.unanswered)} engines do not answer",
                details="\n\n".join(str(error) for error in self.unanswered),
            )


def running(project: Project) -> Running:
    """The state of every environment of which something is there."""
    names = project.environments()
    there = dict(all_at_once(lambda name: (name, _there(project, name)), backend_names()))
    targets = _targets(project, names, there)
    rows: list[Row] = []
    errors: dict[str, EnvctlError] = {}
    for target in targets:
        try:
            found = status(project, target)
        except UsageError as error:
            # Nothing is there of an environment that the spec does not have; or nobody can tell.
            if isinstance(error.__cause__, EnvctlError):
                _note(errors, error.__cause__)
            continue
        except EnvctlError as error:
            if _note(errors, error):
                rows += unknown_rows(Session(project, target), error.brief)
            continue
        is_up = any(row.state != Status.MISSING and row.kind != VOLUME for row in found)
        rows += found if is_up else ()
    return Running(rows, tuple(errors.values()))


def targets_up(project: Project) -> Sequence[Target]:
    """The project's targets of which units exist. An engine that does not answer counts as having none."""
    by_backend = all_at_once(lambda name: (name, _there(project, name)), backend_names())
    return [Target(name, backend) for backend, names in by_backend for name in names]


def _targets(
    project: Project, names: Iterable[str], there: Mapping[str, Sequence[str]]
) -> Sequence[Target]:
    """Where something may be: where runs' locks or an engine say so, else where the spec would have it."""
    found: dict[Target, None] = {}
    locked = _locked(project)
    for name in names:
        known = {target.backend for target in locked if target.environment == name}
        known |= {backend for backend, its in there.items() if name in its}
        found |= dict.fromkeys(Target(name, one) for one in sorted(filter(None, known)))
        found |= {} if known else {Target(name): None}
    for backend, its in there.items():
        found |= dict.fromkeys(Target(name, backend) for name in its)
    return tuple({**found, **dict.fromkeys(locked)})


def _note(errors: dict[str, EnvctlError], error: EnvctlError) -> bool:
    """Take an error in, each but once; not that there is no engine here at all: then nothing is there either."""
    if isinstance(error, NoEngineError):
        return False
    errors.setdefault(error.brief, error)
    return True


def _there(project: Project, backend: str) -> Sequence[str]:
    """The environments that an engine has units of; none if it does not answer, which whoever asks it more is told."""
    try:
        engine = Session(project, Target(_ANY, backend), allow_invalid_spec=True).backend
        return engine.environments() if isinstance(engine, FindsEnvironments) else ()
    except EnvctlError:
        return ()


def _locked(project: Project) -> Sequence[Target]:
    """What was ever up, or down, from here, as the locks of those runs tell."""
    folder = existing_folder(project.root, "locks")
    files = sorted(folder.glob("*@*.lock")) if folder else ()
    found = (file.stem.partition("@") for file in files)
    return [Target(name, backend) for name, _, backend in found if name and is_backend(backend)]
