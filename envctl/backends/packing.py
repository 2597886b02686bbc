"""Files of a build as members of a tar: the same files give the same bytes, whatever their times and owners."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from envctl.backends.staging import ContextFile
from envctl.errors import EnvctlError


def add_file(tar: tarfile.TarFile, path: str, file: ContextFile, *, root: Path) -> None:
    """Add a file of the project at `root`; a symbolic link stays one. EnvctlError if it cannot be read."""
    if file.text is not None:
        add_text(tar, path, file.text, mode=0o644 if file.mode is None else file.mode)
        return
    source = root / file.source
    try:
        entry = _entry(path, 0o644 if file.mode is None else file.mode)
        if source.is_symlink():
            entry.type, entry.linkname = tarfile.SYMTYPE, str(source.readlink())
            tar.addfile(entry)
            return
        with source.open("rb") as content:
            found = source.stat()
            entry.size = found.st_size
            if file.mode is None:
                entry.mode = 0o755 if found.st_mode & 0o111 else 0o644
            tar.addfile(entry, content)
    except OSError as error:
        raise EnvctlError(
            f"{file.source} cannot be read for the build: {error.strerror or error}",
            hint="it may have changed meanwhile: run the same command again",
        ) from error


def add_content(tar: tarfile.TarFile, path: str, source: Path) -> None:
    """Add a file of wherever it is. EnvctlError if it cannot be read."""
    try:
        with source.open("rb") as content:
            entry = _entry(path, 0o644)
            entry.size = source.stat().st_size
            tar.addfile(entry, content)
    except OSError as error:
        raise EnvctlError(f"{source} cannot be read: {error.strerror or error}") from error


def add_text(tar: tarfile.TarFile, path: str, text: str, *, mode: int = 0o644) -> None:
    """Add a text as a file."""
    data = text.encode("utf-8", "surrogateescape")
    entry = _entry(path, mode)
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))


def _entry(path: str, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(path)
    entry.mode = mode
    return entry
