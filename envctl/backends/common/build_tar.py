"""Adds the files of a build to a tar archive. A file that has changed since it was planned stops the build."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from pathlib import Path
from typing import Final

from envctl.backends.common.step_views import ContextFile
from envctl.errors import EnvctlError
from envctl.host.planned_files import PlannedFiles
from envctl.host.source_tree import EntryKind, content_time

_TYPES: Final = {
    EntryKind.FOLDER: tarfile.DIRTYPE,
    EntryKind.LINK: tarfile.SYMTYPE,
    EntryKind.PIPE: tarfile.FIFOTYPE,
}


def add_file(tar: tarfile.TarFile, path: str, file: ContextFile, *, project: PlannedFiles) -> None:
    """Add a file of the project; a symbolic link stays a link.

    EnvctlError if it cannot be read, or has changed since it was planned.
    """
    if file.entry is None:
        add_text(tar, path, file.text or "", mode=file.mode)
        return
    member = _member(path, file.mode, file.entry.time)
    if file.entry.kind is not EntryKind.FILE:
        member.type = _TYPES[file.entry.kind]
        member.linkname = file.entry.digest
        tar.addfile(member)
        return
    member.size = file.entry.size
    with project.opened(file.source, file.entry) as content:
        tar.addfile(member, content)


def add_content(tar: tarfile.TarFile, path: str, source: Path) -> None:
    """Add a file from outside the project. EnvctlError if it cannot be read."""
    try:
        with source.open("rb") as content:
            member = _member(path, 0o644)
            member.size = os.fstat(content.fileno()).st_size
            tar.addfile(member, content)
    except OSError as error:
        raise EnvctlError(f"{source} cannot be read: {error.strerror or error}") from error


def add_text(tar: tarfile.TarFile, path: str, text: str, *, mode: int = 0o644) -> None:
    """Add a text as a file. Its time depends on the text, so that caches notice a change."""
    data = text.encode("utf-8", "surrogateescape")
    member = _member(path, mode, content_time(hashlib.sha256(data).hexdigest()))
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


def _member(path: str, mode: int, time: int = 0) -> tarfile.TarInfo:
    member = tarfile.TarInfo(path)
    member.mode = mode
    member.mtime = time
    return member
