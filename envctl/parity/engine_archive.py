"""Reads files that root inside a unit may not read. It streams them from archives of the engine and stores nothing."""

from __future__ import annotations

import hashlib
import io
import posixpath
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from envctl.parity.file_tree import LARGEST, FileEntry

MOST: Final = 1 << 30
"""The maximum number of bytes that are fetched from one unit."""
_CHUNK: Final = 1 << 20
_CAPABILITY: Final = "SCHILY.xattr.security.capability"
_KINDS: Final[Mapping[bytes, str]] = {
    tarfile.REGTYPE: "f", tarfile.AREGTYPE: "f", tarfile.LNKTYPE: "f", tarfile.DIRTYPE: "d", tarfile.SYMTYPE: "l",
    tarfile.FIFOTYPE: "p", tarfile.BLKTYPE: "b", tarfile.CHRTYPE: "c",
}  # fmt: skip


class _Stream(io.RawIOBase):
    """Makes an iterator of chunks readable as a file, once, up to a limit in bytes."""

    def __init__(self, chunks: Iterator[bytes], most: int) -> None:
        self._chunks, self._left, self._most = chunks, b"", most
        self.read_bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, target: object) -> int:
        view = memoryview(target)  # type: ignore[arg-type]
        if not self._left:
            self._left = next(self._chunks, b"")
            self.read_bytes += len(self._left)
            if self.read_bytes > self._most:
                raise ValueError(f"it is more than {self._most >> 20} MiB")
        size = min(len(view), len(self._left))
        view[:size] = self._left[:size]
        self._left = self._left[size:]
        return size


def entries(
    archive: Iterator[bytes], path: str, *, most: int = MOST
) -> tuple[dict[str, FileEntry], int]:
    """The entries of an archive by absolute path, and its size in bytes. ValueError if it is invalid or too large."""
    stream = _Stream(archive, most)
    files: dict[str, FileEntry] = {}
    folder = posixpath.dirname(path.rstrip("/"))
    try:
        with tarfile.open(fileobj=io.BufferedReader(stream, _CHUNK), mode="r|") as tar:
            for member in tar:
                whole = posixpath.join(folder, member.name.rstrip("/"))
                entry = _entry(member)
                if member.islnk():
                    same = files.get(posixpath.join(folder, member.linkname))
                    entry = same or entry
                elif entry.kind == "f" and member.size <= LARGEST:
                    content = tar.extractfile(member)
                    digest = hashlib.sha256()
                    while content and (data := content.read(_CHUNK)):
                        digest.update(data)
                    entry = replace(entry, digest=digest.hexdigest())
                files[whole] = entry
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ValueError(f"the engine's archive of it cannot be read: {error}") from error
    return files, stream.read_bytes


def _entry(member: tarfile.TarInfo) -> FileEntry:
    capability = member.pax_headers.get(_CAPABILITY, "").encode("utf-8", "surrogateescape").hex()
    return FileEntry(
        _KINDS.get(member.type, "?"),
        f"{member.mode & 0o7777:o}",
        str(member.uid),
        str(member.gid),
        member.size,
        int(member.mtime),
        target=member.linkname if member.issym() else "",
        capability=capability,
    )
