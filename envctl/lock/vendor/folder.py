"""The folder envctl.vendor on disk: regular files in plain folders. Links, pipes and devices in it are refused.

The folder may come with a cloned project. Through a link, writing or deleting would affect another file of the user,
and reading a device would never end. Folders stay open while they are used, so that nobody can replace them.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, BinaryIO, Final

from envctl.errors import EnvctlError
from envctl.host.atomic_write import remove_leftovers, replacement_file

FOLDER: Final = "envctl.vendor"
HASHES: Final = "sha256"

_HEX: Final = re.compile(r"[0-9a-f]{64}")
_CHUNK: Final = 1 << 20
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def read_file(root: Path, name: str, most: int) -> bytes:
    """Read a file of the folder, of at most `most` bytes. FileNotFoundError if it is missing, else OSError."""
    with _folder(root) as here, _opened(here, name) as file:
        data = file.read(most + 1)
        if len(data) > most:
            raise OSError(f"more than {most} bytes")
        return data


def write_file(root: Path, name: str, data: bytes) -> None:
    """Write a file of the folder atomically. EnvctlError if that fails."""
    with (
        _write_errors(),
        _folder(root, make=True) as here,
        replacement_file(name, mode=0o644, folder=here) as file,
    ):
        file.write(data)


@contextmanager
def open_file(root: Path, digest: str, size: int) -> Iterator[BinaryIO]:
    """Open the file with that hash for reading. OSError unless it is a regular file of that size."""
    with _folder(root) as here, _entered(here, HASHES) as hashes, _opened(hashes, digest) as file:
        actual_size = os.fstat(file.fileno()).st_size
        if actual_size != size:
            raise OSError(f"it has {actual_size} bytes instead of {size}")
        yield file


def copy_and_hash(source: BinaryIO, target: IO[bytes] | None = None) -> tuple[str, int]:
    """Copy a file, or only read it without a `target`. Returns its hash and size."""
    digest, size = hashlib.sha256(), 0
    while chunk := source.read(_CHUNK):
        digest.update(chunk)
        size += len(chunk)
        if target is not None:
            target.write(chunk)
    return digest.hexdigest(), size


def add_file(root: Path, path: Path) -> tuple[str, int]:
    """Copy a file into the folder under the hash of its content. Returns the hash and the size."""
    with (
        _write_errors(),
        _folder(root, make=True) as here,
        _entered(here, HASHES, make=True) as hashes,
        path.open("rb") as source,
    ):
        digest, size = copy_and_hash(source)
        source.seek(0)
        with replacement_file(digest, mode=0o644, folder=hashes) as target:
            if copy_and_hash(source, target) != (digest, size):
                raise OSError(f"{path.name} changed while it was copied")
    return digest, size


def remove_except(root: Path, hashes_used: set[str]) -> int:
    """Remove all files named by a hash that is not used, and return their number. Other files belong to somebody else."""
    with (
        suppress(FileNotFoundError),
        _write_errors(),
        _folder(root) as here,
        _entered(here, HASHES) as hashes,
    ):
        remove_leftovers(hashes)
        unused = [
            name
            for name in os.listdir(hashes)  # noqa: PTH208  # a descriptor
            if _HEX.fullmatch(name)
            and name not in hashes_used
            and stat.S_ISREG(os.stat(name, dir_fd=hashes, follow_symlinks=False).st_mode)
        ]
        for name in unused:
            os.unlink(name, dir_fd=hashes)
        return len(unused)
    return 0


# --- parts


@contextmanager
def _folder(root: Path, *, make: bool = False) -> Iterator[int]:
    parent = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with _entered(parent, FOLDER, make=make) as here:
            yield here
    finally:
        os.close(parent)


@contextmanager
def _entered(parent: int, name: str, *, make: bool = False) -> Iterator[int]:
    if make:
        with suppress(FileExistsError):
            os.mkdir(name, 0o755, dir_fd=parent)
    try:
        here = os.open(name, _DIRECTORY, dir_fd=parent)
    except NotADirectoryError as error:
        raise OSError(f"{name} is a link, or not a folder") from error
    try:
        yield here
    finally:
        os.close(here)


@contextmanager
def _opened(folder: int, name: str) -> Iterator[BinaryIO]:
    descriptor = os.open(name, _READ, dir_fd=folder)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("not a regular file")
        yield file


@contextmanager
def _write_errors() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise EnvctlError(f"{FOLDER} cannot be written: {error.strerror or error}") from error
