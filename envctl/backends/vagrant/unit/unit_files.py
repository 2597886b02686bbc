"""Copies files from and to a unit in its running machine; for a container, with the machine's Docker engine."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import BinaryIO, Final

from envctl.backends.base import PathKind
from envctl.backends.common.capped import CappedBuffer
from envctl.backends.vagrant.quoting import shell
from envctl.backends.vagrant.ssh.ssh_machine import SshMachine
from envctl.backends.vagrant.unit.container import NAME
from envctl.errors import EnvctlError
from envctl.lazy_dataclass import dataclass

_IN_MEMORY: Final = 32 << 20
_CHUNK: Final = 1 << 20
_LONGEST: Final = 3600.0
"""The timeout for copying, in seconds."""


@dataclass(frozen=True, slots=True)
class UnitFiles:
    """The files of a unit. `contained` means that it runs in a container in its machine."""

    unit: str
    machine: SshMachine
    contained: bool

    def path_kind(self, path: str) -> PathKind:
        """What is at a path, with links followed."""
        return PathKind(self.machine.run(self._kind_script(path)).strip())

    def _kind_script(self, path: str) -> str:
        if not self.contained:
            place = shell(path)
            return (
                f"if [ -d {place} ]; then echo folder;"
                f" elif [ -e {place} ]; then echo file; else echo nothing; fi"
            )
        # From the first letter of tar's listing, because the image may have no shell.
        return (
            f"case $({self._pack_script(path)} 2>/dev/null | tar -tvf - 2>/dev/null | head -n 1) in"
            " d*) echo folder;; ?*) echo file;; *) echo nothing;; esac"
        )

    def pack(self, path: str) -> Iterator[bytes]:
        """A tar archive of a file or folder."""
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as spool:
            self._stream(f"read {path}", self._pack_script(path), stdin=None, output=spool)
            spool.seek(0)
            while chunk := spool.read(_CHUNK):
                yield chunk

    def _pack_script(self, path: str) -> str:
        if self.contained:
            return f"docker cp --follow-link {shell(f'{NAME}:{path}')} -"
        return (
            f"real=$(readlink -f -- {shell(path)}) || exit 1; folder=${{real%/*}}; last=${{real##*/}};"
            ' exec tar --format=gnu -cf - -C "${folder:-/}" -- "${last:-.}"'
        )

    def unpack(self, folder: str, archive: BinaryIO) -> None:
        """Unpack a tar archive into a folder."""
        into = shell(f"{NAME}:{folder}") if self.contained else shell(folder)
        script = (
            f"docker cp --archive - {into}"
            if self.contained
            else f"tar -xpf - --numeric-owner -C {into}"
        )
        self._stream(f"write to {folder}", script, stdin=archive, output=None)

    def _stream(
        self,
        what: str,
        script: str,
        *,
        stdin: BinaryIO | None,
        output: tempfile.SpooledTemporaryFile[bytes] | None,
    ) -> None:
        errors = CappedBuffer()
        code = self.machine.stream(
            script,
            stdin=stdin,
            stdout=output.write if output is not None else None,
            stderr=errors,
            timeout=_LONGEST,
        )
        if code:
            raise EnvctlError(f"cannot {what} of {self.unit}", details=errors.text)
