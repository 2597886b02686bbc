"""The ignore files of a project: .envctlignore, .dockerignore, and those of git."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from envctl.errors import Place, Problem, SpecError
from envctl.files import rules
from envctl.files.dockerignore import DockerIgnore, PatternError
from envctl.files.project_paths import problem
from envctl.host.links import as_listed, followed
from envctl.host.safe_read import FOLDER, InsideError, open_below, read_inside

ENVCTLIGNORE: Final = ".envctlignore"
DOCKERIGNORE: Final = ".dockerignore"
_LARGEST_IGNORE_FILE: Final = 1024 * 1024


def project_ignore(root: Path, where: Place | None) -> tuple[str, DockerIgnore]:
    """Return the patterns that copies use, and the name of their file."""
    for name in (ENVCTLIGNORE, DOCKERIGNORE):
        ignore = _ignore(root, name, where)
        if ignore is not None:
            return name, ignore
    return "", DockerIgnore("")


def context_ignore(
    root: Path, relative: str, dockerfile: str, where: Place | None
) -> tuple[str, DockerIgnore]:
    """Return the patterns of a context, and the name of their file: the ignore file of its Dockerfile, otherwise the context's."""
    for path in (f"{dockerfile}{DOCKERIGNORE}", os.path.normpath(f"{relative}/{DOCKERIGNORE}")):
        ignore = _ignore(root, path, where)
        if ignore is not None:
            return path, ignore
    return "", DockerIgnore("")


def spelling_notes(root: Path, path: str) -> Iterator[str]:
    """Yield the error for an ignore file that is found only because its disk ignores case."""
    name, listed = os.path.basename(path), as_listed(followed(root) / path).name  # noqa: PTH119
    if path and listed != name:
        yield (
            f"{listed} is used as {name}, because this disk ignores case; on other disks it is not used:"
            f" rename it to {name}"
        )


def _ignore(root: Path, path: str, where: Place | None) -> DockerIgnore | None:
    """Return the patterns of an ignore file; None if it does not exist. SpecError at a line that is not a valid pattern."""
    try:
        data = read_inside(root, path, largest=_LARGEST_IGNORE_FILE)
    except FileNotFoundError:
        return None
    except InsideError as error:
        raise problem(error.brief, where, hint=error.hint) from error
    text = data.decode("utf-8", "surrogateescape")
    try:
        return DockerIgnore(text)
    except PatternError as error:
        lines = text.split("\n")
        source = lines[error.line - 1] if error.line <= len(lines) else ""
        raise SpecError(
            (
                Problem(
                    Place(path, error.line, error.column),
                    error.reason,
                    expected="a pattern, as docs.docker.com says of .dockerignore files",
                    source=source,
                ),
            )
        ) from error


def git_above(home: int, origin: str) -> rules.Git:
    """Return the `.gitignore` files that apply to a folder of the project: those of its parents, not its own."""
    git: rules.Git = ()
    parts = [] if origin == "." else origin.split("/")
    for depth in range(len(parts) + 1):
        if depth:
            git = rules.below(git, parts[depth - 1])
        try:
            folder = open_below(home, "/".join(parts[:depth]), FOLDER)
        except OSError:
            return git
        try:
            files = [rules.gitignore_in(folder)]
            if not depth:
                files.insert(0, rules.gitignore_in(folder, ".git/info/exclude"))
        finally:
            os.close(folder)
        git += tuple((patterns, patterns.top) for patterns in files if patterns)
    return git
