"""The project's own files: what a copy step takes, by content; nothing outside the project."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from envctl.errors import Place, Problem, SpecError
from envctl.inside import InsideError, read_inside
from envctl.private import NAME

NEVER_COPIED = (".git", NAME, "__pycache__", "*.pyc")
"""Names left out of every copied folder: version control, our own state, Python's caches."""

_LARGEST_IGNORE_FILE = 1024 * 1024
_NOWHERE = Place("envctl.yaml", 1, 1)


@dataclass(frozen=True, slots=True)
class Tree:
    """What a copy takes: a hash of names, kinds, execute bits and contents, and the paths."""

    content: str
    paths: tuple[str, ...]


def problem(message: str, where: Place | None, *, hint: str = "") -> SpecError:
    """A SpecError of one problem, with its line of the spec where that can be read."""
    return SpecError((Problem(where or _NOWHERE, message, hint=hint),))


def inside(root: Path, relative: str, where: Place | None) -> Path:
    """The path of a project file or folder. SpecError if it is missing or, links followed, outside or another thing."""
    path = root / relative
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise problem(f"{relative!r} does not exist", where) from error
    if not real.is_relative_to(root.resolve()):
        raise problem(
            f"{relative!r} leads outside the project",
            where,
            hint="a build takes files of the project only; copy it in, or mount it",
        )
    if real.is_relative_to(root.resolve() / NAME):
        raise problem(f"{relative!r} is in envctl's own folder, where secrets are kept", where)
    if not (real.is_file() or real.is_dir()):
        raise problem(
            f"{relative!r} is neither a file nor a folder",
            where,
            hint="pipes, sockets and devices cannot be copied",
        )
    return path


def read_text(root: Path, relative: str, *, where: Place | None) -> str:
    """The text of a project file, UTF-8."""
    inside(root, relative, where)
    try:
        return read_inside(root, relative).decode("utf-8")
    except InsideError as error:
        raise problem(error.brief, where, hint=error.hint) from error
    except (OSError, UnicodeDecodeError) as error:
        raise problem(f"{relative!r} cannot be read as UTF-8 text: {error}", where) from error


def tree(
    root: Path,
    relative: str,
    *,
    exclude: Sequence[str],
    where: Place | None,
    unless: Callable[[str], bool] | None = None,
) -> Tree:
    """A file, or a folder with all that is in it, except what matches an exclude pattern.

    A pattern without "/" matches a name at any depth, one with "/" a path from the folder.
    Links are taken as links and must stay within the project. `unless` says of a path from the
    folder that it is left out.
    """
    top = inside(root, relative, where)
    patterns = (*NEVER_COPIED, *exclude)
    paths = [top] if top.is_file() else list(_walk(top, top, patterns))
    summary = hashlib.sha256()
    names: list[str] = []
    for path in sorted(paths):
        name = path.relative_to(top).as_posix() if path != top else ""
        if unless and unless(name):
            continue
        summary.update(_fingerprint(root, path, name, where))
        names.append(PurePosixPath(os.path.normpath(path.relative_to(root))).as_posix())
    return Tree(summary.hexdigest(), tuple(names))


def context(root: Path, relative: str, *, where: Place | None) -> Tree:
    """A folder as the context of its Dockerfile: without what its .dockerignore leaves out."""
    ignore = _ignore_file(root, (inside(root, relative, where) / ".dockerignore"), where)
    if ignore is None:
        return tree(root, relative, exclude=(), where=where)
    from docker.utils.build import PatternMatcher

    lines = (line.strip() for line in ignore.splitlines())
    matcher = PatternMatcher([line for line in lines if line and not line.startswith("#")])
    return tree(
        root,
        relative,
        exclude=(),
        where=where,
        unless=lambda name: bool(matcher.matches(name)),  # type: ignore[arg-type]
    )


def _ignore_file(root: Path, path: Path, where: Place | None) -> str | None:
    """The text of an ignore file; None if there is none. SpecError if it leads outside, or is no regular file."""
    try:
        return read_inside(root, path, largest=_LARGEST_IGNORE_FILE).decode("utf-8", "replace")
    except FileNotFoundError:
        return None
    except InsideError as error:
        raise problem(error.brief, where, hint=error.hint) from error


def _walk(folder: Path, top: Path, patterns: Sequence[str]) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        for entry in entries:
            path = Path(entry.path)
            if excluded(path.relative_to(top).as_posix(), patterns):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(path, top, patterns)
            elif entry.is_file(follow_symlinks=False) or entry.is_symlink():
                yield path


def excluded(relative: str, patterns: Sequence[str]) -> bool:
    """Whether a path, relative to the copied folder, is left out."""
    name = relative.rpartition("/")[2]
    return any(
        fnmatchcase(relative, pattern.strip("/")) if "/" in pattern else fnmatchcase(name, pattern)
        for pattern in patterns
    )


def _fingerprint(root: Path, path: Path, name: str, where: Place | None) -> bytes:
    if path.is_symlink():
        inside(root, path.relative_to(root).as_posix(), where)
        kind, data = "link", os.fsencode(path.readlink())
    else:
        try:
            data = path.read_bytes()
        except OSError as error:
            raise problem(
                f"{str(path.relative_to(root))!r} cannot be read: {error}", where
            ) from error
        kind = "program" if path.stat().st_mode & 0o111 else "file"
    head = f"{kind}\0{name}\0{hashlib.sha256(data).hexdigest()}\n"
    return head.encode("utf-8", "surrogateescape")
