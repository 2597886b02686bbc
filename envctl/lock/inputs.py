"""What of a spec decides on what a build installs, a line each: so that a lock can be checked without an engine."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

from envctl.backends.common.staging import ContextFile, placed
from envctl.errors import EnvctlError, Place
from envctl.host.safe_read import text_inside
from envctl.lazy_dataclass import dataclass
from envctl.lock.model import PLATFORM
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
from envctl.plan.platforms import plain_name
from envctl.plan.requirements import Requirement, npm_dependencies, pip_lines, pip_word
from envctl.plan.text import step_text

_NPM_FILES: Final = ("package.json", "package-lock.json", "npm-shrinkwrap.json")
_INCLUDED: Final = re.compile(
    r"^[ \t]*(-r|-c|--requirement|--constraint)[ \t=]*(\S+)", re.MULTILINE
)
_PIP: Final = re.compile(
    r"[A-Za-z0-9._-]+(\[[A-Za-z0-9,._-]*\])?(([=<>!~]=?|===)[A-Za-z0-9.*+!_-]+)?"
)
_NPM: Final = re.compile(r"(@[A-Za-z0-9._~-]+/)?[A-Za-z0-9._~-]+(@[A-Za-z0-9.^~*+-]+)?")
_HIDDEN: Final = "…"
_SHOWN: Final = 12
_LONGEST: Final = 120


@dataclass(frozen=True, slots=True)
class Input:
    """One thing that decides on what is installed: its line in the lock, and for people what that stands for.

    `said` is what has changed if only the hash in the line is another; `where` the place in the spec. `wanted` is
    what pip or npm (`kind`) is asked for by name, to be installed in `folder`.
    """

    line: str
    where: Place | None = None
    said: str = ""
    kind: Literal["", "pip", "npm"] = ""
    folder: str = ""
    wanted: tuple[Requirement, ...] = ()


def inputs(
    source: Source, root: Path, *, where: Place | None = None, platform_at: Place | None = None
) -> tuple[Input, ...]:
    """The platform, the base, the packages, and the steps that may install something, with what they read of the project at `root`.

    Of copied files only those count that pip and npm are told to read: an edit elsewhere installs nothing else.
    `where` is the place of what has none of its own, `platform_at` that of the platform.
    """
    platform = source.platform
    first = (Input(f"{PLATFORM} {platform}", platform_at or where),) if platform else ()
    return (*first, *_inputs(source, root, where))


def _inputs(source: Source, root: Path, where: Place | None) -> tuple[Input, ...]:
    match source:
        case ReadyImage():
            return (Input(f"image {source.image}", where),)
        case DockerfileBuild():
            recipe = _text(ContextFile(source.dockerfile), root)
            line = _line(source.dockerfile, [recipe, source.target, source.args])
            return (Input(line, where, f"{source.dockerfile}, its target or an argument"),)
        case Build():
            return tuple(_build(source, root, where))


def _build(build: Build, root: Path, where: Place | None) -> Iterator[Input]:
    yield Input(f"base {base_text(build.base)}", where)
    installing = [step for step in build.steps if isinstance(step, InstallPackages)]
    names = {name for step in installing for name in step.names}
    if names:
        yield Input(f"packages {' '.join(sorted(names))}", installing[0].where)
    there: dict[str, ContextFile] = {}
    runs = 0
    for step in build.steps:
        match step:
            case CopyFiles() | WriteFile():
                there.update(placed(step))
            case PipInstall():
                yield _pip(step, there, root)
            case NpmInstall():
                yield _npm(step, there, root)
            case RunCommand():
                # Variables are filled in by now, and a lock is committed: only a hash tells of the command.
                runs += 1
                yield Input(_line(f"run {runs}", step), step.where, f"run {runs} of the build")


def _pip(step: PipInstall, there: Mapping[str, ContextFile], root: Path) -> Input:
    read = list(_requirements(step.requirements, there, root))
    shown = replace(step, packages=_shown(step.packages, _PIP))
    texts = [one.text for one in read]
    told = [*texts, *(step.packages if shown != step else ())]
    line = _line(step_text(shown), told) if told else step_text(step)
    words = filter(None, map(pip_word, step.packages))
    lines = (wanted for one in read if one.asks for wanted in pip_lines(one.text))
    said = _either([one.name for one in read] + (["the step's packages"] if shown != step else []))
    return Input(line, step.where, said, "pip", posixpath.normpath(step.venv), (*words, *lines))


def _npm(step: NpmInstall, there: Mapping[str, ContextFile], root: Path) -> Input:
    paths = [posixpath.join(step.directory, name) for name in _NPM_FILES]
    shown = replace(step, packages=_shown(step.packages, _NPM))
    texts = contents(paths, there, root)
    line = _line(step_text(shown), [step.production, step.packages, texts])
    said = _either([*(_name(path, there[path]) for path in texts), "the step itself"])
    folder = posixpath.normpath(step.directory or "/")
    wanted = () if step.packages else npm_dependencies(texts.get(paths[0], ""))
    return Input(line, step.where, said, "npm", folder, tuple(wanted))


def _either(names: Sequence[str]) -> str:
    *some, last = names or [""]
    return f"{', '.join(some)} or {last}" if some else last


def _shown(packages: Sequence[str], plain: re.Pattern[str]) -> tuple[str, ...]:
    """Packages by name and version; an address may have a password in it, and is told by a hash alone."""
    return tuple(one if plain.fullmatch(one) else _HIDDEN for one in packages)


def base_text(base: Base) -> str:
    """A base by its name, with its dated mirror."""
    name = base.name or plain_name(base.image)[0]
    return f"{name} at {base.snapshot}" if base.snapshot else name


def _line(text: str, told: object) -> str:
    return f"{text[:_LONGEST]} {digest(told)[:_SHOWN]}"


@dataclass(frozen=True, slots=True)
class _Read:
    """A file that pip reads: what a person calls it, its text, and whether it asks for packages or only bounds them."""

    name: str
    text: str
    asks: bool


def _requirements(path: str, there: Mapping[str, ContextFile], root: Path) -> Iterator[_Read]:
    """A file of requirements, and those that it includes."""
    todo, seen = [(posixpath.normpath(path), True)] if path else [], set()
    while todo:
        path, asks = todo.pop(0)
        if path in seen or path not in there:
            continue
        seen.add(path)
        text = _text(there[path], root)
        yield _Read(_name(path, there[path]), text, asks)
        here = posixpath.dirname(path)
        for option, one in _INCLUDED.findall(text):
            included = posixpath.normpath(posixpath.join(here, one))
            todo.append((included, asks and option in ("-r", "--requirement")))


def contents(
    paths: Sequence[str], there: Mapping[str, ContextFile], root: Path
) -> Mapping[str, str]:
    """What is in those files of some that the project at `root` has."""
    return {path: _text(there[path], root) for path in paths if path in there}


def _name(path: str, file: ContextFile) -> str:
    """A file as the project has it; one that a template makes has its path in the unit alone."""
    return file.source or path


def _text(file: ContextFile, root: Path) -> str:
    if file.text is not None:
        return file.text
    try:
        return text_inside(root, file.source, errors="replace")
    except OSError as error:
        raise EnvctlError(f"{file.source} cannot be read: {error.strerror or error}") from error
