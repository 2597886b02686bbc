"""Writes a rendered folder: each file atomically, nothing outside it, and no file of the user is removed."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from envctl.errors import EnvctlError
from envctl.host.atomic_write import remove_leftovers, replacement, replacement_file, set_mode
from envctl.host.links import alike, followed, ignores_case
from envctl.host.planned_files import PlannedFiles
from envctl.host.safe_read import FILE
from envctl.host.source_tree import EntryKind, SourceEntry
from envctl.render.rendered_files import Content, Copied

MARKER: Final = ".envctl-render"
_CHUNK: Final = 1 << 20
_NEVER: Final = frozenset({errno.ENOSYS, errno.EPERM, errno.EOPNOTSUPP, errno.EIO})
"""The errors of a disk without links or pipes."""


def write(
    files: Mapping[str, Content],
    folder: Path,
    *,
    root: Path,
    modes: Mapping[str, int] | None = None,
) -> Sequence[str]:
    """Write a rendered folder, and remove files of an earlier render that are no longer needed; the notes about it.

    Each file is replaced atomically. A list in the folder names envctl's files: all others are left alone, and a
    folder that has files but no such list is refused. EnvctlError if a file of the project at `root` changed meanwhile.
    """
    former = _former(folder)
    _insist_inside(folder, [*files, *former])
    folder.mkdir(parents=True, exist_ok=True)
    insist_apart(folder, files)
    _replace(folder / MARKER, _listing({*former, *files}), 0o644)
    for path in sorted(set(former) - set(files), reverse=True):
        _remove(folder, path)
    _have_parents(folder, files)
    with PlannedFiles(root) as project:
        for path, content in files.items():
            mode = (modes or {}).get(path, 0o644)
            try:
                if isinstance(content, bytes):
                    _replace(folder / path, content, mode)
                else:
                    _copy(project, content, f"{folder}/{path}", mode)
            except OSError as error:
                reason = error.strerror or error
                raise EnvctlError(f"{folder}/{path} cannot be written: {reason}") from error
    _replace(folder / MARKER, _listing(files), 0o644)
    if stat.S_IMODE((folder / MARKER).stat().st_mode) == 0o644:
        return ()
    note = (
        f"the disk of {folder} keeps no permissions: builds from it differ from those of the project, and who can"
        " read the disk can read all that is rendered; render to another disk"
    )
    return (note,)


def insist_apart(folder: Path, paths: Iterable[str]) -> None:
    """EnvctlError if two names differ only in case and the folder's disk ignores case."""
    spelt: dict[str, str] = {}
    for path in paths:
        while path:
            other = spelt.setdefault(alike(path), path)
            if other != path:
                _require_case(folder, other, path)
                return
            path = path.rpartition("/")[0]  # noqa: PLW2901 - then each folder that it is in


def _require_case(folder: Path, path: str, other: str) -> None:
    with tempfile.TemporaryDirectory(dir=folder, prefix=".envctl-case-") as probe:
        if ignores_case(Path(probe)):
            raise EnvctlError(
                f"{path} and {other} cannot both be in {folder}: its disk ignores case",
                hint="render to another disk, or rename one of them",
            )


def _have_parents(folder: Path, paths: Iterable[str]) -> None:
    for parent in dict.fromkeys(path.rpartition("/")[0] for path in paths):
        (folder / parent).mkdir(parents=True, exist_ok=True)
        remove_leftovers(folder / parent)


def _listing(paths: Iterable[str]) -> bytes:
    return os.fsencode("".join(f"{path}\n" for path in sorted(paths)))


def _former(folder: Path) -> Sequence[str]:
    """Return the files of the last render."""
    if (folder / MARKER).is_file():
        listed = os.fsdecode((folder / MARKER).read_bytes()).split("\n")
        return [path for path in listed if path and _is_plain(path)]
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise EnvctlError(
            f"{folder} is not empty and was not made by envctl render",
            hint="name a new or empty folder",
        )
    return []


def _is_plain(path: str) -> bool:
    return not path.startswith("/") and ".." not in path.split("/")


def _insist_inside(folder: Path, paths: Iterable[str]) -> None:
    """EnvctlError unless all these paths are in the folder, with links followed."""
    top = followed(folder)
    parents: dict[str, str] = {}
    for path in paths:
        if "\n" in path:
            raise EnvctlError(
                f"{path!r} cannot be rendered: a line break in a file's name",
                hint="rename it, or exclude it from the copy",
            )
        parents.setdefault(path.rpartition("/")[0], path)
    for parent, path in parents.items():
        if not _is_plain(path) or not followed(folder / parent).is_relative_to(top):
            raise EnvctlError(f"{path!r} lies outside {folder}", hint="render into a new folder")


def _replace(target: Path, content: bytes, mode: int) -> None:
    """Write the file atomically, unless it has this content already."""
    if target.is_file() and not target.is_symlink() and target.read_bytes() == content:
        set_mode(target, mode)
        return
    with replacement_file(str(target), mode=mode, durable=False) as file:
        file.write(content)


def _copy(project: PlannedFiles, original: Copied, target: str, mode: int) -> None:
    """Copy a file or folder of the project. Folders are made writable, so that they can be rendered again."""
    entry = original.entry
    if entry.kind is EntryKind.FOLDER:
        _fold(Path(target), mode | 0o700)
    elif entry.kind is EntryKind.LINK:
        with replacement(target) as fresh, _had_by_disk(target, "links"):
            os.symlink(entry.digest, fresh)  # noqa: PTH211 - here strings are quicker
    elif entry.kind is EntryKind.PIPE:
        with replacement(target) as fresh, _had_by_disk(target, "pipes"):
            os.mkfifo(fresh, mode)
    elif not _is_there(target, entry, mode):
        with replacement_file(target, mode=mode, durable=False) as file:
            if entry.size <= _CHUNK:
                file.write(project.content(original.source, entry))
            else:
                with project.opened(original.source, entry) as content:
                    while data := content.read(_CHUNK):
                        file.write(data)
            file.flush()
            os.utime(file.fileno(), (entry.time, entry.time))


@contextmanager
def _had_by_disk(target: str, what: str) -> Iterator[None]:
    """EnvctlError if the disk does not support such files."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NEVER:
            raise
        raise EnvctlError(
            f"{target} cannot be made: its disk cannot have {what} ({error.strerror})",
            hint="render to another disk, or leave it out, by the `exclude` of the copy or in an ignore file",
        ) from error


def _is_there(target: str, entry: SourceEntry, mode: int) -> bool:
    """Whether the file has this content already: replacing it would take a millisecond."""
    try:
        status = os.lstat(target)
        if (status.st_mode, status.st_size, status.st_mtime) != (
            stat.S_IFREG | mode,
            entry.size,
            entry.time,
        ):
            return False
        with open(target, "rb", buffering=0, opener=_unfollowed) as file:
            if entry.size <= _CHUNK:
                return hashlib.sha256(file.read(_CHUNK)).hexdigest() == entry.digest
            return hashlib.file_digest(file, "sha256").hexdigest() == entry.digest
    except OSError:
        return False


def _unfollowed(path: str, flags: int) -> int:
    return os.open(path, flags | FILE)


def _fold(target: Path, mode: int) -> None:
    if target.is_symlink() or not target.is_dir():
        target.unlink(missing_ok=True)
        target.mkdir(parents=True)
    set_mode(target, mode)


def _remove(folder: Path, path: str) -> None:
    """Remove a file or an empty folder, and the parents that are empty then."""
    target = folder / path
    if target.is_dir() and not target.is_symlink():
        if not any(target.iterdir()):
            target.rmdir()
    else:
        target.unlink(missing_ok=True)
    for parent in target.parents:
        if parent == folder or parent.is_symlink() or not parent.is_dir() or any(parent.iterdir()):
            return
        parent.rmdir()
