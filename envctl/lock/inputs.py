"""The inputs in the spec that decide what a build installs, one per line, so that checking a lock needs no engine."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal, assert_never

from envctl.backends.common.step_views import ContextFile, placed
from envctl.errors import EnvctlError, Place
from envctl.host.safe_read import text_inside
from envctl.lazy_dataclass import dataclass
from envctl.lock.model import PLATFORM
from envctl.plan.digest import digest
from envctl.plan.model import (
    Base,
    Build,
    CopyFiles,
    CopyFromStage,
    CreateUser,
    DockerfileBuild,
    InstallPackages,
    MakeDirectories,
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
_HASH_LENGTH: Final = 12
_LONGEST: Final = 120


@dataclass(frozen=True, slots=True)
class Input:
    """One input that affects what is installed: its line in the lock, and its place in the spec.

    `summary` names the change if only the hash in the line differs. `requirements` are the packages that the step asks
    pip or npm (`kind`) by name to install in `folder`.
    """

    line: str
    where: Place | None = None
    summary: str = ""
    kind: Literal["", "pip", "npm"] = ""
    folder: str = ""
    requirements: tuple[Requirement, ...] = ()


def inputs(
    source: Source, root: Path, *, where: Place | None = None, platform_at: Place | None = None
) -> tuple[Input, ...]:
    """The platform, the base, the packages, and all steps that may install packages.

    Files come from the project at `root`. Of copied files only those that pip and npm read count, because edits of
    others do not change what is installed. `where` is the place of inputs without their own, `platform_at` that of the
    platform.
    """
    platform = source.platform
    first = (Input(f"{PLATFORM} {platform}", platform_at or where),) if platform else ()
    return (*first, *_inputs(source, root, where))


def _inputs(source: Source, root: Path, where: Place | None) -> tuple[Input, ...]:
    match source:
        case ReadyImage():
            return (Input(f"image {source.image}", where),)
        case DockerfileBuild():
            dockerfile = source.text or _text(ContextFile(source.dockerfile), root)
            line = _line(source.dockerfile, [dockerfile, source.target, source.args])
            return (Input(line, where, f"{source.dockerfile}, its target or an argument"),)
        case Build():
            of_stages = (
                replace(item, line=f"stage {stage.name} {item.line}")
                for stage in source.stages
                for item in _build(stage.build, root, stage.build.where or where)
            )
            return (*_build(source, root, where), *of_stages)


def _build(build: Build, root: Path, where: Place | None) -> Iterator[Input]:
    yield Input(f"base {base_text(build.base)}", where)
    installing = [step for step in build.steps if isinstance(step, InstallPackages)]
    names = {name for step in installing for name in step.names}
    if names:
        yield Input(f"packages {' '.join(sorted(names))}", installing[0].where)
    files: dict[str, ContextFile] = {}
    runs = 0
    for step in build.steps:
        match step:
            case CopyFiles() | WriteFile():
                files.update(placed(step))
            case PipInstall():
                yield _pip(step, files, root)
            case NpmInstall():
                yield _npm(step, files, root)
            case RunCommand():
                # The lock is committed, and the command contains values of variables. So it only contains a hash of the
                # command.
                runs += 1
                yield Input(_line(f"run {runs}", step), step.where, f"run {runs} of the build")
            case InstallPackages() | CreateUser() | MakeDirectories() | CopyFromStage():
                # All packages are on one line, above; stages have lines of their own. Other steps install nothing.
                pass
            case _:
                assert_never(step)


def _pip(step: PipInstall, files: Mapping[str, ContextFile], root: Path) -> Input:
    read = list(_requirement_files(step.requirements, files, root))
    masked = replace(step, packages=_masked(step.packages, _PIP))
    hashed = [*(file.text for file in read), *(step.packages if masked != step else ())]
    line = _line(step_text(masked), hashed) if hashed else step_text(step)
    words = filter(None, map(pip_word, step.packages))
    lines = (requirement for file in read if file.asks for requirement in pip_lines(file.text))
    names = [file.name for file in read] + (["the step's packages"] if masked != step else [])
    folder = posixpath.normpath(step.venv)
    return Input(line, step.where, _either(names), "pip", folder, (*words, *lines))


def _npm(step: NpmInstall, files: Mapping[str, ContextFile], root: Path) -> Input:
    paths = [posixpath.join(step.directory, name) for name in _NPM_FILES]
    masked = replace(step, packages=_masked(step.packages, _NPM))
    texts = contents(paths, files, root)
    line = _line(step_text(masked), [step.production, step.packages, texts])
    summary = _either([*(_name(path, files[path]) for path in texts), "the step itself"])
    folder = posixpath.normpath(step.directory or "/")
    requirements = () if step.packages else npm_dependencies(texts.get(paths[0], ""))
    return Input(line, step.where, summary, "npm", folder, tuple(requirements))


def _either(names: Sequence[str]) -> str:
    *some, last = names or [""]
    return f"{', '.join(some)} or {last}" if some else last


def _masked(packages: Sequence[str], plain: re.Pattern[str]) -> tuple[str, ...]:
    """Packages by name and version. Others, such as an address with a password, only affect the hash."""
    return tuple(package if plain.fullmatch(package) else _HIDDEN for package in packages)


def base_text(base: Base) -> str:
    """A base's name, with its mirror snapshot."""
    name = base.name or plain_name(base.image)[0]
    return f"{name} at {base.snapshot}" if base.snapshot else name


def _line(text: str, hashed: object) -> str:
    return f"{text[:_LONGEST]} {digest(hashed)[:_HASH_LENGTH]}"


@dataclass(frozen=True, slots=True)
class _RequirementFile:
    """A file that pip reads: its name, its text, and whether it requests packages or only constrains them."""

    name: str
    text: str
    asks: bool


def _requirement_files(
    path: str, files: Mapping[str, ContextFile], root: Path
) -> Iterator[_RequirementFile]:
    """A requirements file, and those that it includes."""
    todo, seen = [(posixpath.normpath(path), True)] if path else [], set()
    while todo:
        path, asks = todo.pop(0)
        if path in seen or path not in files:
            continue
        seen.add(path)
        text = _text(files[path], root)
        yield _RequirementFile(_name(path, files[path]), text, asks)
        folder = posixpath.dirname(path)
        for option, name in _INCLUDED.findall(text):
            included = posixpath.normpath(posixpath.join(folder, name))
            todo.append((included, asks and option in ("-r", "--requirement")))


def contents(
    paths: Sequence[str], files: Mapping[str, ContextFile], root: Path
) -> Mapping[str, str]:
    """The texts of those paths that belong to copied files."""
    return {path: _text(files[path], root) for path in paths if path in files}


def _name(path: str, file: ContextFile) -> str:
    """A file's path in the project, or its path in the unit if it has none."""
    return file.source or path


def _text(file: ContextFile, root: Path) -> str:
    if file.text is not None:
        return file.text
    try:
        return text_inside(root, file.source, errors="replace")
    except OSError as error:
        raise EnvctlError(f"{file.source} cannot be read: {error.strerror or error}") from error
