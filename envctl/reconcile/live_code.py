"""Decides how files of the project reach a unit that runs: in place, by a rebuild, or not at all. Pure.

Files of the build's last steps are put in place: no later step could have used them. All other files of a build need a
new image. Files that a mount has are there already.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Final

from envctl.backends.common.step_views import ContextFile, placed, view
from envctl.host.source_tree import EntryKind, SourceTree
from envctl.lazy_dataclass import dataclass
from envctl.plan.digest import build_digest, digest
from envctl.plan.model import (
    Build,
    CopyFiles,
    CopyFromStage,
    DockerfileBuild,
    InstallPackages,
    NpmInstall,
    PipInstall,
    ReadyImage,
    RunCommand,
    Step,
    Unit,
    WriteFile,
)
from envctl.plan.state import Status, UnitState

USES: Final = (CopyFromStage, InstallPackages, NpmInstall, PipInstall, RunCommand)
"""Steps that may use, or change, what earlier steps have put into the image."""
_OF_PACKAGES: Final = ("bin", "boot", "dev", "etc", "lib", "lib64", "sbin", "usr", "var")
"""Folders where a package may have a file of the same name, which is there again in a new image."""
_SPEC: Final = ("envctl.yaml", "environments")


@dataclass(frozen=True, slots=True)
class LiveFile:
    """A file or link that can be put in place, and the step that says how."""

    file: ContextFile
    step: CopyFiles | WriteFile

    @property
    def owner(self) -> str:
        """`user:group`; "" is root."""
        owner: str = view(self.step)["owner"]
        return owner

    @property
    def identity(self) -> str:
        """A text that differs if content, mode or owner does."""
        entry = self.file.entry
        text = (self.file.text or "").encode("utf-8", "surrogateescape")
        content = entry.digest if entry else hashlib.sha256(text).hexdigest()
        kind = entry.kind if entry else EntryKind.FILE
        return f"{kind} {self.file.mode:o} {self.owner} {content}"


def owner_in(identity: str) -> str:
    """Return the owner that a file's identity names."""
    return identity.split(" ")[2]


@dataclass(frozen=True, slots=True)
class KnownFiles:
    """The known files of the unit with this `id`.

    `build` is the build that has these files. `shape` identifies its steps without the content of files, and `fixed` the
    content that cannot be synced. `files` are the identities of the other files, by path. `synced` are the paths that
    were synced or removed since the unit was created.
    """

    id: str
    build: str
    shape: str
    fixed: str
    files: Mapping[str, str]
    synced: tuple[str, ...] = ()


class Reaction(StrEnum):
    """The action for a unit whose files have changed."""

    NOTHING = "nothing"
    SYNC = "sync"
    REBUILD = "rebuild"
    SPEC = "spec"
    """Nothing before the next `up`: the spec says something else by now."""


@dataclass(frozen=True, slots=True)
class LiveDecision:
    """The action for a unit, and its cause. With `restart`, the process is restarted after it."""

    unit: str
    reaction: Reaction = Reaction.NOTHING
    put: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    restart: bool = False
    cause: str = ""


def first_live(steps: Sequence[Step]) -> int:
    """Return the index of the first step whose files can be put in place."""
    return max((index + 1 for index, step in enumerate(steps) if isinstance(step, USES)), default=0)


def live_files(unit: Unit) -> Mapping[str, LiveFile]:
    """Return the files that can be put in place, by path, each as its last step has it."""
    if not isinstance(unit.source, Build):
        return {}
    steps = unit.source.steps
    return {
        posixpath.normpath(path): LiveFile(file, step)
        for step in steps[first_live(steps) :]
        if isinstance(step, CopyFiles | WriteFile)
        for path, file in _everything(step)
        if not _stays(unit, path, file)
    }


def known(unit: Unit, identity: str) -> KnownFiles:
    """Return the known files of a unit that was just created from its build."""
    files = {path: file.identity for path, file in live_files(unit).items()}
    build = "" if isinstance(unit.source, ReadyImage) else unit.source.digest
    return KnownFiles(identity, build, _shape(unit), _fixed(unit), files)


def decide(
    unit: Unit, state: UnitState | None, before: KnownFiles | None, *, changed: Collection[str] = ()
) -> LiveDecision:
    """Decide the action for a unit. `changed` are paths of the project that were saved, removed or renamed."""
    if state is None or isinstance(unit.source, ReadyImage):
        return _without_files(unit, state, changed)
    if before is None or before.id != state.id:
        if state.build != unit.source.digest:
            return LiveDecision(unit.name, Reaction.REBUILD, cause="it was made of other files")
        return _without_files(unit, state, changed)
    if before.shape != _shape(unit):
        cause = "the spec says something else: `envctl up` applies it"
        return LiveDecision(unit.name, Reaction.SPEC, cause=cause)
    if before.fixed != _fixed(unit):
        return LiveDecision(
            unit.name, Reaction.REBUILD, cause="a build step may use what has changed"
        )
    now = {path: file.identity for path, file in live_files(unit).items()}
    put = tuple(path for path, identity in now.items() if before.files.get(path) != identity)
    remove = tuple(path for path in before.files if path not in now)
    if not put and not remove:
        return _without_files(unit, state, changed)
    if cause := _why_rebuild(unit, state, put, remove, before=before, now=now):
        return LiveDecision(unit.name, Reaction.REBUILD, cause=cause)
    restart = bool(restarting(unit, changed))
    return LiveDecision(unit.name, Reaction.SYNC, put, remove, restart)


def after_sync(unit: Unit, before: KnownFiles, decision: LiveDecision) -> KnownFiles:
    """Return the known files of a unit after files were synced."""
    synced = sorted({*before.synced, *decision.put, *decision.remove})
    return replace(known(unit, before.id), synced=tuple(synced))


def restarting(unit: Unit, changed: Collection[str]) -> tuple[str, ...]:
    """Return those of these paths that the unit is restarted on."""
    return tuple(path for path in changed if any(_within(path, place) for place in unit.restart_on))


def _without_files(unit: Unit, state: UnitState | None, changed: Collection[str]) -> LiveDecision:
    exists = state is not None and state.status not in (Status.MISSING, Status.CREATED)
    return LiveDecision(unit.name, restart=exists and bool(restarting(unit, changed)))


def _why_rebuild(
    unit: Unit,
    state: UnitState,
    put: Sequence[str],
    remove: Sequence[str],
    *,
    before: KnownFiles,
    now: Mapping[str, str],
) -> str:
    """Describe why files of the build's last steps cannot be put in place; "" if they can."""
    if state.status is not Status.RUNNING:
        return f"it is {state.status}"
    for path in remove:
        if _of_packages(path):
            return f"{path} was removed, and a package may have one of its own there"
        if path in _earlier_paths(unit):
            return f"{path} was removed, and an earlier step has one there"
    for path in put:
        is_folder = now[path].startswith(EntryKind.FOLDER)
        if path in before.files and is_folder != before.files[path].startswith(EntryKind.FOLDER):
            return f"{path} has become {'a folder' if is_folder else 'a file'}"
        if is_folder and (_of_packages(path) or path.count("/") == 1):
            return f"the folder {path} may be there already"
    return ""


def _of_packages(path: str) -> bool:
    return path.split("/")[1] in _OF_PACKAGES and not path.startswith("/usr/local/")


def _earlier_paths(unit: Unit) -> Collection[str]:
    """Return the targets of the steps before the last copy steps."""
    assert isinstance(unit.source, Build)  # others have no files that are put in place
    steps = unit.source.steps
    return {
        posixpath.normpath(path)
        for step in steps[: first_live(steps)]
        if isinstance(step, CopyFiles | WriteFile)
        for path, _ in placed(step)
    }


def _shape(unit: Unit) -> str:
    """Identifies a build without the content of its files. The spec itself counts."""
    source = unit.source
    if isinstance(source, DockerfileBuild):
        blank = replace(source, content="", digest="")
        return digest([blank, *_spec_files(source.tree)])
    if not isinstance(source, Build):
        return ""
    specs = [
        line
        for step in source.all_steps
        if isinstance(step, CopyFiles)
        for line in _spec_files(step.tree)
    ]
    return digest([_blank_digest(source), specs])


def _blank_digest(build: Build) -> str:
    """Return the digest of a build without the content of its files and those of its stages."""
    digests: dict[str, str] = {}
    # Each stage comes before those that copy from it.
    for one_build in (*(stage.build for stage in build.stages), build):
        steps = [_blank(step, digests) for step in one_build.steps]
        digests[one_build.digest] = build_digest(one_build.base, steps, one_build.template_digest)
    return digests[build.digest]


def _spec_files(tree: SourceTree) -> Iterator[str]:
    for entry in tree.entries:
        if is_spec(tree.place(entry)):
            yield f"{entry.path} {entry.digest}"


def is_spec(path: str) -> bool:
    """Whether a path of the project is of the spec, which is never put in place."""
    return any(_within(path, place) for place in _SPEC)


def _blank(step: Step, digests: Mapping[str, str]) -> Step:
    """Return the step without the content of files; `digests` are the blank ones of stages."""
    if isinstance(step, CopyFiles):
        return replace(step, content="")
    if isinstance(step, CopyFromStage):
        return replace(step, digest=digests[step.digest])
    return replace(step, text="") if isinstance(step, WriteFile) else step


def _fixed(unit: Unit) -> str:
    """Return the content of files that are not put in place."""
    source = unit.source
    if isinstance(source, DockerfileBuild):
        return f"{source.content} {source.dockerfile_digest}"
    if not isinstance(source, Build):
        return ""
    first = first_live(source.steps)
    # Those of stages are all before the last steps.
    kinds = CopyFiles | CopyFromStage | WriteFile
    fixed = [step for step in source.steps[:first] if isinstance(step, kinds)]
    lines = [
        f"{path} {LiveFile(file, step).identity}"
        for step in source.steps[first:]
        if isinstance(step, CopyFiles | WriteFile)
        for path, file in _everything(step)
        if _stays(unit, path, file)
    ]
    return digest([fixed, lines])


def _everything(step: CopyFiles | WriteFile) -> Iterator[tuple[str, ContextFile]]:
    """Yield the files, links and folders that a step creates, with the path of each in the unit."""
    if isinstance(step, CopyFiles):
        target = view(step)["target"]
        for entry in step.tree.entries:
            if entry.kind is EntryKind.FOLDER:
                file = ContextFile(step.tree.place(entry), mode=0o755, entry=entry)
                yield target + entry.path, file
    yield from placed(step)


def _stays(unit: Unit, path: str, file: ContextFile) -> bool:
    """Whether a file of a last step is not put in place: a volume has its own, or it is the spec."""
    return unit.hides(path) or is_spec(file.source)


def _within(path: str, folder: str) -> bool:
    return folder == "." or f"{path}/".startswith(f"{folder.rstrip('/')}/")
