"""Packs files and folders of this host into tar archives, and unpacks archives.

Archives from other systems are not trusted. Nothing is written outside the target folder or through a link, and no link
that leads out of it is created.
"""

from __future__ import annotations

import os
import posixpath
import shutil
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, Final

from envctl.errors import EnvctlError
from envctl.host.links import followed

_CHUNK: Final = 1 << 20


def pack(source: Path, name: str, *, owner: tuple[int, int], target: IO[bytes]) -> int:
    """Write an archive of a file or folder, with the name `name`; returns the number of members.

    All members belong to `owner`. Links stay links, except `source` itself. With the name ".", only the content of the
    folder is included.
    """
    count = 0
    with tarfile.open(fileobj=target, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path, inside in _walk(followed(source), name):
            if inside == ".":
                continue
            member: tarfile.TarInfo | None = tar.gettarinfo(path, arcname=inside)
            if member is None:
                continue  # a socket, which tar does not support
            member.uid, member.gid = owner
            member.uname = member.gname = ""
            if member.islnk():
                # A hard link: its other name may be outside the archive.
                member.type, member.size = tarfile.REGTYPE, path.stat().st_size
                member.linkname = ""
            if member.isreg():
                with path.open("rb") as content:
                    tar.addfile(member, content)
            else:
                tar.addfile(member)
            count += 1
    return count


def _walk(path: Path, name: str) -> Iterator[tuple[Path, str]]:
    yield path, name
    if path.is_dir() and not path.is_symlink():
        for child in sorted(path.iterdir()):
            yield from _walk(child, f"{name}/{child.name}")


def unpack(
    archive: Iterable[bytes], target: Path, *, contents: bool = False
) -> tuple[int, tuple[str, ...]]:
    """Unpack an archive of one file or folder; returns the number of written members, and the skipped ones.

    The file or folder becomes `target`, or goes into `target` if that is a folder. With `contents`, only the content of
    the folder does. EnvctlError for a member outside the target.
    """
    unpacker: _Unpacker | None = None
    with tarfile.open(fileobj=_Reader(archive), mode="r|") as tar:  # type: ignore[call-overload]
        for member in tar:
            if unpacker is None:
                unpacker = _Unpacker(member, _root(member, target, contents=contents))
            unpacker.take(member, tar)
    if unpacker is None:
        raise EnvctlError("the archive is empty")
    return unpacker.finish()


def _root(first: tarfile.TarInfo, target: Path, *, contents: bool) -> Path:
    """The path that the first member of an archive gets."""
    if first.isdir() and target.exists() and not target.is_dir():
        raise EnvctlError(f"{target} is a file: a folder cannot be copied to it")
    if target.is_dir() and not (first.isdir() and contents):
        return target / _parts(first.name)[-1]
    if not target.parent.is_dir():
        raise EnvctlError(f"{target.parent} is not a folder")
    return target


class _Unpacker:
    """Writes the members of an archive to `root`, the path of its first member; links come last."""

    def __init__(self, first: tarfile.TarInfo, root: Path) -> None:
        self._depth = len(_parts(first.name))
        self._first = _parts(first.name)
        self._root = root
        self._links: list[tuple[Path, str]] = []
        self._left_out: list[str] = []
        self._folders: list[tuple[Path, int]] = []
        self._count = 0

    def take(self, member: tarfile.TarInfo, tar: tarfile.TarFile) -> None:
        parts = self._below(member.name)
        path = self._root.joinpath(*parts)
        self._require_plain_parents(parts)
        if member.isdir():
            if path.is_symlink() or (path.exists() and not path.is_dir()):
                raise EnvctlError(f"{path} is not a folder: {member.name} cannot be copied to it")
            path.mkdir(exist_ok=True, mode=0o700)
            self._folders.append((path, member.mode & 0o777))
        elif member.isreg():
            content = tar.extractfile(member)
            assert content is not None  # members of this type have content
            _write(path, content, member)
        elif member.issym():
            self._take_link(path, parts, member)
            return
        elif member.islnk():
            self._take_hard_link(path, member)
        else:
            self._left_out.append(f"{member.name}: not a file, folder or link")
            return
        self._count += 1

    def finish(self) -> tuple[int, tuple[str, ...]]:
        """Create the links, now that all files are written, and set the modes of folders."""
        for path, link in self._links:
            if path.is_dir() and not path.is_symlink():
                raise EnvctlError(f"{path} is a folder: a link cannot be copied to it")
            path.unlink(missing_ok=True)
            path.symlink_to(link)
        for path, mode in reversed(self._folders):
            path.chmod(mode)
        return self._count + len(self._links), tuple(self._left_out)

    def _below(self, name: str) -> tuple[str, ...]:
        parts = _parts(name)
        if parts[: self._depth] != self._first:
            raise EnvctlError(f"the archive contains a path outside the copied folder: {name!r}")
        return parts[self._depth :]

    def _require_plain_parents(self, parts: tuple[str, ...]) -> None:
        """EnvctlError if a parent folder is a link, whether from the archive or already on disk."""
        path = self._root
        links = {link for link, _ in self._links}
        for part in parts:
            if path.is_symlink() or path in links:
                raise EnvctlError(f"the archive leads through the link {path}")
            path /= part

    def _take_link(self, path: Path, parts: tuple[str, ...], member: tarfile.TarInfo) -> None:
        leads_to = posixpath.normpath(posixpath.join("/".join(parts[:-1]), member.linkname))
        if member.linkname.startswith("/") or leads_to.split("/")[0] == ".." or not parts:
            self._left_out.append(
                f"{member.name}: the link leads outside the copied folder, to {member.linkname}"
            )
            return
        self._links.append((path, member.linkname))

    def _take_hard_link(self, path: Path, member: tarfile.TarInfo) -> None:
        parts = self._below(member.linkname)
        self._require_plain_parents(parts)
        source = self._root.joinpath(*parts)
        if source.is_symlink() or not source.is_file():
            raise EnvctlError(
                f"the archive has a link to a file that it does not contain: {member.name}"
            )
        path.unlink(missing_ok=True)
        shutil.copy2(source, path, follow_symlinks=False)


def _write(path: Path, content: IO[bytes], member: tarfile.TarInfo) -> None:
    """Write a file. A link at its path is replaced, not followed."""
    if path.is_dir() and not path.is_symlink():
        raise EnvctlError(f"{path} is a folder: a file cannot be copied to it")
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        shutil.copyfileobj(content, file, _CHUNK)
        os.fchmod(file.fileno(), member.mode & 0o777)
    os.utime(path, (member.mtime, member.mtime))


def _parts(name: str) -> tuple[str, ...]:
    """The parts of a member's path. EnvctlError if it contains ".."."""
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if ".." in parts:
        raise EnvctlError(f"the archive contains a path outside the copied folder: {name!r}")
    return parts or (".",)


class _Reader:
    """Makes chunks readable as a file, once."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks: Any = iter(chunks)
        self._ahead = b""

    def read(self, size: int) -> bytes:
        while len(self._ahead) < size and (chunk := next(self._chunks, b"")):
            self._ahead += chunk
        data, self._ahead = self._ahead[:size], self._ahead[size:]
        return data
