"""A build's steps in the terms of a script, and the files they need beside it: the same for all backends."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

from envctl.plan.digest import digest
from envctl.plan.model import (
    Build,
    CopyFiles,
    CreateUser,
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
    WriteFile: "copy",
    RunCommand: "run",
    PipInstall: "pip",
    NpmInstall: "npm",
}
"""The template under a backend's steps/ that writes each kind of step."""


@dataclass(frozen=True, slots=True)
class ContextFile:
    """A file of a build context: a copy of `source` (project-relative), or `text` if that is not None.

    `mode` None takes it from the source: 0o755 if that is executable, else 0o644.
    """

    source: str = ""
    text: str | None = None
    mode: int | None = None


def context_files(build: Build) -> Mapping[str, ContextFile]:
    """The files that a build needs by path, without what says how it is built and without trust."""
    return {path: file for step in build.steps for path, file in _staged(step)}


def placed(step: CopyFiles | WriteFile) -> Iterator[tuple[str, ContextFile]]:
    """The files that a step puts into the environment, by the path each gets there."""
    target = _target(step)
    for _, file in _staged(step):
        if isinstance(step, CopyFiles) and target.endswith("/"):
            yield target + _within(step, file.source), file
        else:
            yield target, file


def view(step: Step) -> Mapping[str, Any]:
    """A step as its template sees it."""
    return {
        "kind": KINDS[type(step)],
        "about": step_text(step),
        "source": _copied(step),
        "target": _target(step),
        "owner": _owner(step),
        "mode": step.mode if isinstance(step, CopyFiles | WriteFile) else "",
        "words": _words(step),
        "argv": _argv(step),
        "user": step.user if isinstance(step, RunCommand) else "root",
        "production": isinstance(step, NpmInstall) and step.production,
    }


def _words(step: Step) -> tuple[str, ...]:
    """The arguments a step's script is given."""
    match step:
        case InstallPackages():
            return step.names
        case CreateUser():
            return step.name, str(step.uid), step.home
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
    """A command with its directory and environment, which thus end with it."""
    if not isinstance(step, RunCommand):
        return ()
    env = tuple(f"{name}={value}" for name, value in sorted(step.env.items()))
    chdir = () if step.workdir in {"", "/"} else (f"--chdir={step.workdir}",)
    if not env and not chdir:
        return step.argv
    # A program whose name has a "=" would be taken for one more variable.
    shell = ("/bin/sh", "-c", 'exec "$0" "$@"') if "=" in step.argv[0] else ()
    return "/usr/bin/env", *chdir, "--", *env, *shell, *step.argv


def _owner(step: Step) -> str:
    """`user:group` for COPY; a user's group is the one of its name unless the spec says another."""
    owner = step.owner if isinstance(step, CopyFiles | WriteFile) else ""
    if owner in {"", "root", "root:root"}:
        return ""
    return owner if ":" in owner else f"{owner}:{owner}"


# --- build contexts -------------------------------------------------------------------------


def _copied(step: Step) -> str:
    """The source of a step's COPY: a file of the context, or a folder with "/" at the end."""
    match step:
        case WriteFile():
            return next(path for path, _ in _staged(step))
        case CopyFiles() if _is_file(step):
            return next(path for path, _ in _staged(step))
        case CopyFiles() if step.files:
            return f"{_stage(step)}/"
        case _:
            return ""


def _target(step: Step) -> str:
    """Where a step's COPY puts it; for a file, always the file's own path."""
    match step:
        case CopyFiles() if _is_file(step) and step.target.endswith("/"):
            return step.target + _source(step).name
        case CopyFiles() if not _is_file(step):
            return step.target.rstrip("/") + "/"
        case CopyFiles() | WriteFile():
            return step.target
        case _:
            return ""


def _staged(step: Step) -> Iterator[tuple[str, ContextFile]]:
    """What a step needs in the context, in a folder of its own."""
    match step:
        case WriteFile():
            name = PurePosixPath(step.target).name
            yield (
                f"{_stage(step)}/{slug(name)}",
                ContextFile(text=step.text, mode=_mode(step.mode)),
            )
        case CopyFiles():
            for file in sorted(step.files):
                path = slug(PurePosixPath(file).name) if _is_file(step) else _within(step, file)
                yield f"{_stage(step)}/{path}", ContextFile(source=file, mode=_mode(step.mode))


def _within(step: CopyFiles, file: str) -> str:
    """The path of one of a copied folder's files in it."""
    return PurePosixPath(file).relative_to(_source(step)).as_posix()


def _source(step: CopyFiles) -> PurePosixPath:
    return PurePosixPath(posixpath.normpath(step.source))


def _is_file(step: CopyFiles) -> bool:
    return [PurePosixPath(file) for file in step.files] == [_source(step)]


def _stage(step: CopyFiles | WriteFile) -> str:
    """A folder named by what is in it: equal copies share it, whatever their place in the build."""
    if isinstance(step, WriteFile):
        name, content = PurePosixPath(step.target).name, digest([step.text, step.mode])
    else:
        name, content = _source(step).name, digest([step.content, step.mode])
    return f"context/{slug(name)}-{content[:12]}"


def slug(name: str) -> str:
    """A name that means nothing special to a builder."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "files"


def _mode(mode: str) -> int | None:
    return int(mode, 8) if mode else None


# --- mounts ---------------------------------------------------------------------------------


def covered(mounts: Iterable[Mount]) -> tuple[str, ...]:
    """The paths inside a unit in whose place an empty folder is seen, though a mount has something there."""
    found = (posixpath.join(mount.target, path) for mount in mounts for path in mount.hidden)
    return tuple(dict.fromkeys(found))


def protected(mounts: Iterable[Mount]) -> tuple[Mount, ...]:
    """What is mounted again, to be read only, below mounts that can be written: git's own files."""
    found = (
        Mount(posixpath.join(mount.source, path), posixpath.join(mount.target, path), True)
        for mount in mounts
        for path in mount.protected
    )
    return tuple(dict.fromkeys(found))


# --- secrets --------------------------------------------------------------------------------


def secret_variable(secret: Secret) -> str:
    """The environment variable that a secret's value is taken from in a rendered folder."""
    return secret.env or re.sub(r"[^A-Z0-9_]", "_", secret.name.upper())
