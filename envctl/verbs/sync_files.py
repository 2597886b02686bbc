"""Copies project files into a running unit, or removes them there, with the result of a new build."""

from __future__ import annotations

import io
import posixpath
import tarfile
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final

from envctl.backends.base import Backend, CopiesFiles, Execution
from envctl.backends.common.build_tar import add_file
from envctl.backends.common.capped import CappedBuffer
from envctl.errors import EnvctlError
from envctl.host.planned_files import PlannedFiles
from envctl.lazy_dataclass import dataclass
from envctl.reconcile.live_code import LiveFile

_IN_MEMORY: Final = 32 << 20
_LONGEST: Final = 20_000
"""The maximum length of a command line, in characters."""
_TIMEOUT: Final = 60.0


@dataclass(frozen=True, slots=True)
class Ids:
    """The numeric ids of a unit's users and groups, by name."""

    users: Mapping[str, int]
    groups: Mapping[str, int]

    def of(self, owner: str) -> tuple[int, int]:
        """The ids of `user:group`; root's for "". EnvctlError for a name that the unit does not have."""
        user, _, group = (owner or "0:0").partition(":")
        return _number(self.users, user, "user"), _number(self.groups, group or user, "group")


def _number(known: Mapping[str, int], name: str, what: str) -> int:
    if name.isdigit():
        return int(name)
    if name not in known:
        raise EnvctlError(f"the unit has no {what} {name!r}")
    return known[name]


def read_ids(backend: CopiesFiles, unit: str) -> Ids:
    """Read the users and groups of a unit."""
    users, groups = (_ids_in(backend.pack(unit, f"/etc/{name}")) for name in ("passwd", "group"))
    return Ids(users, groups)


def _ids_in(archive: Iterable[bytes]) -> Mapping[str, int]:
    """By the first field of each line, its third field."""
    with tarfile.open(fileobj=io.BytesIO(b"".join(archive))) as tar:
        member = tar.next()
        content = tar.extractfile(member) if member else None
        text = content.read().decode("utf-8", "replace") if content else ""
    fields = (line.split(":") for line in text.splitlines())
    return {parts[0]: int(parts[2]) for parts in fields if len(parts) > 2 and parts[2].isdigit()}


def pack_files(
    root: Path, files: Mapping[str, LiveFile], paths: Sequence[str], ids: Ids
) -> IO[bytes]:
    """A tar archive of these files, for unpacking at "/". EnvctlError if a file has changed since it was planned."""
    spool: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - returned open
    with (
        PlannedFiles(root) as project,
        _Archive(fileobj=spool, mode="w", format=tarfile.GNU_FORMAT) as tar,
    ):
        for path in sorted(paths):
            tar.owner = ids.of(files[path].owner)
            add_file(tar, path.lstrip("/"), files[path].file, project=project)
    spool.seek(0)
    return spool


class _Archive(tarfile.TarFile):
    """An archive whose members get the current owner and new times, so that reloaders notice them."""

    owner = (0, 0)

    def addfile(self, tarinfo: tarfile.TarInfo, fileobj: Any = None) -> None:
        tarinfo.uid, tarinfo.gid = self.owner
        tarinfo.mtime = time.time()
        super().addfile(tarinfo, fileobj)


def remove_files(backend: Backend, unit: str, owners: Mapping[str, str], *, folders: bool) -> None:
    """Remove these files and links, or these folders if they are empty. Each path has an owner, `user:group`."""
    by_owner: dict[str, list[str]] = {}
    for path, owner in owners.items():
        by_owner.setdefault(owner.partition(":")[0] or "0", []).append(path)
    for user, paths in by_owner.items():
        # Files come before the folder that contains them.
        for chunk in _chunks(sorted(paths, key=lambda path: -path.count("/"))):
            _remove(backend, unit, chunk, user=user, folders=folders)


def _remove(backend: Backend, unit: str, paths: Sequence[str], *, user: str, folders: bool) -> None:
    """Remove paths as their owner. Root in a container may lack the right to change other users' folders."""
    command = ("rmdir", "--") if folders else ("rm", "-f", "--")
    errors = CappedBuffer()
    for who in dict.fromkeys(("0", user)):
        errors = CappedBuffer()
        execution = Execution(
            (*command, *paths),
            user=who,
            everything=who == "0",
            stdout=errors,
            stderr=errors,
            timeout=_TIMEOUT,
        )
        if backend.exec(unit, execution) == 0:
            return
    if not folders:
        raise EnvctlError(f"cannot remove files of {unit}", details=errors.text)


def _chunks(paths: Sequence[str]) -> Iterator[Sequence[str]]:
    chunk: list[str] = []
    for path in paths:
        if chunk and sum(map(len, chunk)) + len(path) > _LONGEST:
            yield chunk
            chunk = []
        chunk.append(posixpath.normpath(path))
    if chunk:
        yield chunk
