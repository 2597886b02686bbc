"""Reads the project's files for a build, exactly as planned: a changed file is an error."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Self, cast

from envctl.errors import EnvctlError
from envctl.host.links import followed
from envctl.host.safe_read import FILE, FOLDER, open_below, read_up_to
from envctl.host.source_tree import SourceEntry


class _Hashing(io.RawIOBase):
    """Reads a file and hashes the data on the way."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.summary = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = read_up_to(self._descriptor, size if size >= 0 else sys.maxsize)
        self.summary.update(data)
        return data


class PlannedFiles:
    """The project's files as planned. A context manager."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._home = self._folder = -1
        self._open = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in (self._folder, self._home):
            if descriptor >= 0:
                os.close(descriptor)
        self._home = self._folder = -1

    @contextmanager
    def opened(self, source: str, entry: SourceEntry) -> Iterator[BinaryIO]:
        """Open a file that must be read to its end.

        EnvctlError if it cannot be read, or if it turns out to differ from the plan.
        """
        descriptor = self._descriptor(source, entry)
        try:
            reader = _Hashing(descriptor)
            yield cast("BinaryIO", reader)
            if reader.read(1) or reader.summary.hexdigest() != entry.digest:
                raise _changed(source)
        except OSError as error:
            raise _unreadable(source, error) from error
        finally:
            os.close(descriptor)

    def content(self, source: str, entry: SourceEntry) -> bytes:
        """The content of a file that fits into memory. EnvctlError as for `opened`."""
        descriptor = self._descriptor(source, entry)
        try:
            data = read_up_to(descriptor, entry.size + 1)
        except OSError as error:
            raise _unreadable(source, error) from error
        finally:
            os.close(descriptor)
        if hashlib.sha256(data).hexdigest() != entry.digest:
            raise _changed(source)
        return data

    def _descriptor(self, source: str, entry: SourceEntry) -> int:
        folder, _, name = source.rpartition("/")
        try:
            if self._home < 0:
                self._home = os.open(followed(self._root), FOLDER & ~os.O_NOFOLLOW)
            if self._folder < 0 or folder != self._open:
                below = open_below(self._home, folder, FOLDER)
                if self._folder >= 0:
                    os.close(self._folder)
                self._folder, self._open = below, folder
            descriptor = os.open(name, FILE, dir_fd=self._folder)
        except OSError as error:
            raise _unreadable(source, error) from error
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size != entry.size:
            os.close(descriptor)
            raise _changed(source)
        return descriptor


def _unreadable(source: str, error: OSError) -> EnvctlError:
    return EnvctlError(
        f"{source} cannot be read for the build: {error.strerror or error}",
        hint="it may have changed: run the same command again",
    )


def _changed(source: str) -> EnvctlError:
    return EnvctlError(
        f"{source} was changed after the build was planned",
        hint="run the same command again to use its current content",
    )
