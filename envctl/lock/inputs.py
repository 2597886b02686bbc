"""What of a spec decides on what a build installs, a line each: so that a lock can be checked without an engine."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from envctl.backends.staging import ContextFile, placed
from envctl.errors import EnvctlError
from envctl.plan.digest import digest
from envctl.plan.model import (
    Base,
    Build,
    CopyFiles,
    DockerfileBuild,
    InstallPackages,
    NpmInstall,
    PipInstall,
    ReadyImage,
    RunCommand,
    Source,
    WriteFile,
)
from envctl.plan.text import step_text

_NPM_FILES: Final = ("package.json", "package-lock.json", "npm-shrinkwrap.json")
_INCLUDED: Final = re.compile(r"^\s*(?:-r|-c|--requirement|--constraint)[\s=]*(\S+)", re.MULTILINE)
_PIP: Final = re.compile(
    r"[A-Za-z0-9._-]+(\[[A-Za-z0-9,._-]*\])?(([=<>!~]=?|===)[A-Za-z0-9.*+!_-]+)?"
)
_NPM: Final = re.compile(r"(@[A-Za-z0-9._~-]+/)?[A-Za-z0-9._~-]+(@[A-Za-z0-9.^~*+-]+)?")
_HIDDEN: Final = "…"
_SHOWN: Final = 12
_LONGEST: Final = 120


def inputs(source: Source, root: Path) -> tuple[str, ...]:
    """The base, the packages, and the steps that may install something, with what they read of the project at `root`.

    Of copied files only those count that pip and npm are told to read: an edit elsewhere installs nothing else.
    """
    match source:
        case ReadyImage():
            return (f"image {source.image}",)
        case DockerfileBuild():
            recipe = _text(ContextFile(source.dockerfile), root)
            return (_line(source.dockerfile, [recipe, source.target, source.args]),)
        case Build():
            return tuple(_build(source, root))


def _build(build: Build, root: Path) -> Iterator[str]:
    yield f"base {base_text(build.base)}"
    names = {
        name for step in build.steps if isinstance(step, InstallPackages) for name in step.names
    }
    if names:
        yield f"packages {' '.join(sorted(names))}"
    there: dict[str, ContextFile] = {}
    runs = 0
    for step in build.steps:
        match step:
            case CopyFiles() | WriteFile():
                there.update(placed(step))
            case PipInstall():
                read = list(_requirements(step.requirements, there, root))
                shown = replace(step, packages=_shown(step.packages, _PIP))
                told = [*read, *(step.packages if shown != step else ())]
                yield _line(step_text(shown), told) if told else step_text(step)
            case NpmInstall():
                paths = [posixpath.join(step.directory, name) for name in _NPM_FILES]
                shown_npm = replace(step, packages=_shown(step.packages, _NPM))
                told_npm = [step.production, step.packages, contents(paths, there, root)]
                yield _line(step_text(shown_npm), told_npm)
            case RunCommand():
                # Variables are filled in by now, and a lock is committed: only a hash tells of the command.
                runs += 1
                yield _line(f"run {runs}", step)


def _shown(packages: Sequence[str], plain: re.Pattern[str]) -> tuple[str, ...]:
    """Packages by name and version; an address may have a password in it, and is told by a hash alone."""
    return tuple(one if plain.fullmatch(one) else _HIDDEN for one in packages)


def base_text(base: Base) -> str:
    """A base by its name, with its dated mirror."""
    name = base.name or base.image
    return f"{name} at {base.snapshot}" if base.snapshot else name


def _line(text: str, told: object) -> str:
    return f"{text[:_LONGEST]} {digest(told)[:_SHOWN]}"


def _requirements(path: str, there: Mapping[str, ContextFile], root: Path) -> Iterator[str]:
    """The contents of a file of requirements, and of those that it includes."""
    todo, seen = [posixpath.normpath(path)] if path else [], set()
    while todo:
        path = todo.pop(0)
        if path in seen or path not in there:
            continue
        seen.add(path)
        text = _text(there[path], root)
        yield text
        here = posixpath.dirname(path)
        todo += [posixpath.normpath(posixpath.join(here, one)) for one in _INCLUDED.findall(text)]


def contents(
    paths: Sequence[str], there: Mapping[str, ContextFile], root: Path
) -> Mapping[str, str]:
    """What is in those files of some that the project at `root` has."""
    return {path: _text(there[path], root) for path in paths if path in there}


def _text(file: ContextFile, root: Path) -> str:
    if file.text is not None:
        return file.text
    try:
        return (root / file.source).read_text("utf-8", "replace")
    except OSError as error:
        raise EnvctlError(f"{file.source} cannot be read: {error.strerror or error}") from error
