"""The template values and files of a build's steps, the same for all backends."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, Final

from envctl.host.source_tree import EntryKind, SourceEntry
from envctl.lazy_dataclass import dataclass
from envctl.plan.digest import digest
from envctl.plan.model import (
    Build,
    BuildSecret,
    CopyFiles,
    CopyFromStage,
    CreateUser,
    DockerfileBuild,
    InstallPackages,
    MakeDirectories,
    Mount,
    NpmInstall,
    PipInstall,
    RunCommand,
    Secret,
    Step,
    WriteFile,
)
from envctl.plan.text import step_text

KINDS: Final[Mapping[type, str]] = {
    InstallPackages: "packages",
    CreateUser: "user",
    MakeDirectories: "directories",
    CopyFiles: "copy",
    CopyFromStage: "copy_from",
    WriteFile: "copy",
    RunCommand: "run",
    PipInstall: "pip",
    NpmInstall: "npm",
}
"""The template of each kind of step, in a backend's folder steps/."""

DOCKERIGNORE: Final = ".dockerignore"
ALL_IS_SENT: Final = (
    "# Files that the project excludes from this build are not here, so nothing else is excluded.\n"
)
"""The ignore file of a rendered context. The project's own ignore file was applied when the context was written."""


@dataclass(frozen=True, slots=True)
class ContextFile:
    """A file, folder or link in a build context: a copy of `entry`, at `source` in the project, or else `text`.

    `mode` has its permission bits, whatever the source has.
    """

    source: str = ""
    text: str | None = None
    mode: int = 0o644
    entry: SourceEntry | None = None


def context_files(build: Build) -> Mapping[str, ContextFile]:
    """The files that a build and its stages need, by path, without Dockerfile or script and without certificates."""
    return {path: file for step in build.all_steps for path, file in _staged(step)}


def own_context(build: DockerfileBuild) -> dict[str, ContextFile]:
    """The context of a project's own Dockerfile, by path, with the modes and times of the project's files."""
    tree = build.tree
    return {
        entry.path: ContextFile(tree.place(entry), mode=entry.mode, entry=entry)
        for entry in tree.entries
    }


def own_dockerfile(build: DockerfileBuild) -> ContextFile:
    """The project's own Dockerfile."""
    if build.text:
        return ContextFile(text=build.text)
    (entry,) = build.own_file.entries
    return ContextFile(build.own_file.origin, mode=entry.mode, entry=entry)


def placed(step: CopyFiles | WriteFile) -> Iterator[tuple[str, ContextFile]]:
    """The files and links that a step creates, with the path of each in the unit."""
    target = _target(step)
    for _, file in _staged(step):
        if file.entry is None or not file.entry.path:
            yield target, file
        elif file.entry.kind is not EntryKind.FOLDER:
            yield target + file.entry.path, file


def view(step: Step) -> Mapping[str, Any]:
    """The values for a step's template."""
    return {
        "kind": KINDS[type(step)],
        "about": step_text(step),
        "source": _copy_source(step),
        "target": _target(step),
        "owner": _owner(step),
        "mode": step.mode if isinstance(step, CopyFiles | WriteFile) else "",
        "words": _words(step),
        "argv": _argv(step),
        "user": step.user if isinstance(step, RunCommand) else "root",
        "stage": step.stage if isinstance(step, CopyFromStage) else "",
        "secrets": tuple(secret.name for secret in step.secrets)
        if isinstance(step, RunCommand)
        else (),
        "production": isinstance(step, NpmInstall) and step.production,
    }


def _words(step: Step) -> tuple[str, ...]:
    """The arguments of a step's script."""
    match step:
        case InstallPackages():
            return step.names
        case CreateUser():
            group = () if step.gid is None else (str(step.gid),)
            return step.name, str(step.uid), step.home, *group
        case MakeDirectories():
            return step.owner or "root", *step.paths
        case PipInstall():
            requirements = ("-r", step.requirements) if step.requirements else ()
            return step.venv, *requirements, "--", *step.packages
        case NpmInstall():
            return step.directory or "/", *step.packages
        case _:
            return ()


def _argv(step: Step) -> tuple[str, ...]:
    """A command with its directory and environment, which apply to this command only."""
    if not isinstance(step, RunCommand):
        return ()
    env = tuple(f"{name}={value}" for name, value in sorted(step.env.items()))
    chdir = () if step.workdir in {"", "/"} else (f"--chdir={step.workdir}",)
    if not env and not chdir:
        return step.argv
    # env would mistake a program with "=" in its name for a variable.
    shell = ("/bin/sh", "-c", 'exec "$0" "$@"') if "=" in step.argv[0] else ()
    return "/usr/bin/env", *chdir, "--", *env, *shell, *step.argv


def _owner(step: Step) -> str:
    """`user:group` for COPY; if the spec has no group, the group has the user's name."""
    owner = step.owner if isinstance(step, CopyFiles | CopyFromStage | WriteFile) else ""
    if owner in {"", "root", "root:root"}:
        return ""
    return owner if ":" in owner else f"{owner}:{owner}"


# --- build contexts -------------------------------------------------------------------------


def _copy_source(step: Step) -> str:
    """The source of a step's COPY: a file in the context, or a folder, which ends with "/"."""
    match step:
        case WriteFile():
            return next(path for path, _ in _staged(step))
        case CopyFromStage():
            return step.source
        case CopyFiles() if step.tree.is_file:
            return next(path for path, _ in _staged(step))
        case CopyFiles() if step.tree.entries:
            return f"{_stage(step)}/"
        case _:
            return ""


def _target(step: Step) -> str:
    """The target of a step's COPY; for a file, always the path of the file itself."""
    match step:
        case CopyFiles() if step.tree.is_file and step.target.endswith("/"):
            return step.target + _source(step).name
        case CopyFiles() if not step.tree.is_file:
            return step.target.rstrip("/") + "/"
        case CopyFiles() | CopyFromStage() | WriteFile():
            return step.target
        case _:
            return ""


def _staged(step: Step) -> Iterator[tuple[str, ContextFile]]:
    """The files that a step needs in the context, in a separate folder."""
    match step:
        case WriteFile():
            name = PurePosixPath(step.target).name
            mode = int(step.mode, 8) if step.mode else 0o644
            yield f"{_stage(step)}/{slug(name)}", ContextFile(text=step.text, mode=mode)
        case CopyFiles():
            stage, tree = _stage(step), step.tree
            for entry in tree.entries:
                path = entry.path or slug(_source(step).name)
                yield (
                    f"{stage}/{path}",
                    ContextFile(tree.place(entry), mode=_mode(step, entry), entry=entry),
                )


def _mode(step: CopyFiles, entry: SourceEntry) -> int:
    """The step's permission bits, or else 0755 or 0644, because those of the source depend on umask and checkout."""
    if entry.kind is not EntryKind.FOLDER and step.mode:
        return int(step.mode, 8)
    return 0o755 if entry.kind is EntryKind.FOLDER or entry.is_program else 0o644


def _source(step: CopyFiles) -> PurePosixPath:
    return PurePosixPath(posixpath.normpath(step.source))


def _stage(step: CopyFiles | WriteFile) -> str:
    """A folder named after its content, so that equal copies share it, wherever they are in the build."""
    if isinstance(step, WriteFile):
        name, content = PurePosixPath(step.target).name, digest([step.text, step.mode])
    else:
        name, content = _source(step).name, digest([step.content, step.mode])
    return f"context/{slug(name)}-{content[:12]}"


def slug(name: str) -> str:
    """A name without characters that are special to a builder."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "files"


# --- mounts ---------------------------------------------------------------------------------


def covered(mounts: Iterable[Mount]) -> tuple[str, ...]:
    """The paths inside a unit that are hidden by an empty folder over a mount."""
    paths = (posixpath.join(mount.target, path) for mount in mounts for path in mount.hidden)
    return tuple(dict.fromkeys(paths))


def protected(mounts: Iterable[Mount]) -> tuple[Mount, ...]:
    """Read-only mounts of git's own files, over writable mounts."""
    mounts_below = (
        Mount(posixpath.join(mount.source, path), posixpath.join(mount.target, path), True)
        for mount in mounts
        for path in mount.protected
    )
    return tuple(dict.fromkeys(mounts_below))


# --- secrets --------------------------------------------------------------------------------


def secret_variable(secret: Secret | BuildSecret) -> str:
    """The environment variable that has a secret's value in a rendered folder."""
    return secret.env or re.sub(r"[^A-Z0-9_]", "_", secret.name.upper())
