"""The files that a unit was built from, and those changed since it was created. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final, assert_never

from envctl.backends.common.step_views import ContextFile, placed
from envctl.host.safe_read import InsideError, text_inside
from envctl.lazy_dataclass import dataclass
from envctl.parity.fact_format import UNKNOWN, UnitFacts, fact_id, unknown_at
from envctl.parity.verify_categories import VerifyCategory
from envctl.plan.model import (
    Build,
    CopyFiles,
    CopyFromStage,
    CreateUser,
    InstallPackages,
    MakeDirectories,
    NpmInstall,
    PipInstall,
    RunCommand,
    Step,
    Unit,
    WriteFile,
)
from envctl.plan.volatile_places import PATTERNS

REFERENCES: Final = ("/.dockerenv", "/etc/ssh/ssh_host_ed25519_key")
"""Files that exist since a container was created, or since a machine booted for the first time."""


@dataclass(frozen=True, slots=True)
class BuiltFile:
    """A file that a build step writes; `alterable` if a later step may have changed it."""

    path: str
    file: ContextFile
    step: CopyFiles | WriteFile
    alterable: bool


def steps(unit: Unit) -> Sequence[Step]:
    """The steps of the unit's build; none if it has no base and steps."""
    return unit.source.steps if isinstance(unit.source, Build) else ()


def runs_after(unit: Unit, index: int) -> bool:
    """Whether a `run` step follows the build step with this index."""
    return any(isinstance(step, RunCommand) for step in steps(unit)[index + 1 :])


def files(unit: Unit) -> Iterator[BuiltFile]:
    """The files that the build writes, each as its last step writes it, without those that a mount or volume covers."""
    by_path: dict[str, BuiltFile] = {}
    every = steps(unit)
    for index, step in enumerate(every):
        if isinstance(step, CopyFiles | WriteFile):
            later = every[index + 1 :]
            for target, file in placed(step):
                path = posixpath.normpath(target)
                alterable = any(_may_alter(later_step, path) for later_step in later)
                by_path[path] = BuiltFile(path, file, step, alterable)
    yield from (built_file for built_file in by_path.values() if not unit.hides(built_file.path))


def _may_alter(step: Step, path: str) -> bool:
    """Whether a step may change an existing file: `run` may change any file, the others those in their folders."""
    match step:
        case RunCommand():
            return True
        case PipInstall():
            return f"{path}/".startswith(f"{step.venv.rstrip('/')}/")
        case NpmInstall():
            return f"{path}/".startswith(f"{step.directory.rstrip('/')}/")
        case CopyFromStage():
            return f"{path}/".startswith(f"{step.target.rstrip('/')}/")
        case InstallPackages() | CreateUser() | MakeDirectories() | CopyFiles() | WriteFile():
            return False
        case _:
            assert_never(step)


def text_of(built_file: BuiltFile, root: Path) -> str:
    """The text of the file, read from the project in `root`; "" if it is not readable text."""
    if built_file.file.text is not None:
        return built_file.file.text
    try:
        return text_inside(root, built_file.file.source)
    except (OSError, InsideError, UnicodeDecodeError):
        return ""


def is_volatile(path: str) -> bool:
    """Whether facts leave out this path, because its content changes all the time."""
    return any(
        fnmatchcase(path, pattern) or fnmatchcase(path, f"{pattern}/*") for pattern in PATTERNS
    )


class ChangeTracker:
    """Whether files were changed after the unit was created; no file counts as changed if that time is unknown."""

    def __init__(self, facts: UnitFacts) -> None:
        self._facts = facts
        self._times: Mapping[str, str] = facts.get(VerifyCategory.TIMES, {})
        known = [self._of(path)[0] for path in REFERENCES if path in self._times]
        self.created_at = max(known, default=None)
        """Seconds of the epoch, or None."""

    @property
    def unknown(self) -> str:
        """Why the time of creation is unknown; "" if it is known."""
        if self.created_at is not None:
            return ""
        why = (self._why(path) for path in REFERENCES)
        return next(filter(None, why), "it is unknown when the unit was created")

    def _why(self, path: str) -> str:
        at = unknown_at(self._facts, VerifyCategory.TIMES, path)
        return "" if at is None else self._facts[UNKNOWN][fact_id(VerifyCategory.TIMES, at)]

    def touched(self, path: str) -> bool:
        """Whether a file's content, mode or owner was changed, or it was touched."""
        return self._later(path, 0)

    def written(self, path: str) -> bool:
        """Whether a file's content was written."""
        return self._later(path, 0) and self._later(path, 1)

    def below(self, folder: str) -> Iterator[str]:
        """The files in a folder that were written."""
        for path in self._times:
            if path.startswith(f"{folder}/") and self.written(path):
                yield path

    def _later(self, path: str, which: int) -> bool:
        return (
            self.created_at is not None
            and path in self._times
            and self._of(path)[which] > self.created_at
        )

    def _of(self, path: str) -> tuple[int, int]:
        changed, written = self._times[path].split()
        return int(changed), int(written)
