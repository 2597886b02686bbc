"""Vagrant itself: its commands, through python-vagrant, and its list of machines."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Final

from envctl.backends.vagrant.names import vagrant_home
from envctl.errors import EnvctlError
from envctl.host.atomic_write import replace_file
from envctl.host.file_lock import locked

PROVIDER: Final = "libvirt"
_SHOWN: Final = 30
"""How many lines of a command's output an error shows, from the end."""
_INDEX_VERSION: Final = 1


def informative_lines(text: str) -> list[str]:
    """The lines of a command's output without progress bars and stack traces."""
    lines = text.replace("\r", "\n").splitlines()
    return [
        line
        for line in lines
        if line.strip() and "Progress:" not in line and not line.startswith("\tfrom ")
    ]


def _program() -> str:
    program = shutil.which("vagrant")
    if program is None:
        raise EnvctlError(
            "vagrant is not installed",
            hint="`envctl doctor --backend vagrant` shows how to install it",
        )
    return program


class Vagrant:
    """Vagrant in one folder. Starting each command takes about two seconds."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def up(self) -> None:
        """Start the folder's machines."""
        self._do("start the machine", lambda vagrant: vagrant.up(provider=PROVIDER))

    def add_box(self, name: str, file: Path) -> None:
        """Add a box, replacing one of the same name."""
        self._do("add the box", lambda vagrant: vagrant.box_add(name, str(file), PROVIDER, True))

    def remove_box(self, name: str) -> None:
        """Remove a box. EnvctlError if it does not exist."""
        self._do("remove the box", lambda vagrant: vagrant.box_remove(name, PROVIDER))

    def _do(self, action: str, call: Any) -> None:
        with tempfile.TemporaryFile() as log:
            try:
                call(self._client(log))
            except subprocess.CalledProcessError as error:
                log.seek(0)
                text = log.read().decode("utf-8", "replace")
                raise EnvctlError(
                    f"vagrant could not {action} (exit code {error.returncode})",
                    details="\n".join(informative_lines(text)[-_SHOWN:]),
                    hint="run the same command again; `envctl doctor --backend vagrant` shows what is missing",
                ) from error

    def _client(self, log: IO[bytes]) -> Any:
        import vagrant

        @contextmanager
        def into_log() -> Iterator[IO[bytes]]:
            yield log

        program = _program()
        setpriv = shutil.which("setpriv")
        # If envctl is killed, Vagrant gets SIGTERM too.
        guard = [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []

        class Guarded(vagrant.Vagrant):
            def _make_vagrant_command(self, args: list[str | None]) -> list[str]:
                return [*guard, program, *(arg for arg in args if arg is not None)]

        environ = {**os.environ, "VAGRANT_CHECKPOINT_DISABLE": "1", "VAGRANT_NO_COLOR": "1"}
        return Guarded(  # type: ignore[no-untyped-call]
            str(self._folder), env=environ, out_cm=into_log, err_cm=into_log
        )


def forget(folder: Path) -> None:
    """Remove the machines of a Vagrantfile's folder from the list that `vagrant global-status` shows.

    A list in another format stays unchanged. `vagrant destroy` would do this, but takes 4–9 s to start.
    Format: https://github.com/hashicorp/vagrant/blob/v2.3.4/lib/vagrant/machine_index.rb, version 1.
    """
    index = vagrant_home() / "data" / "machine-index" / "index"
    # If this fails, `vagrant global-status` just lists a folder that no longer exists.
    with (
        suppress(OSError, ValueError, KeyError, TypeError, AttributeError),
        locked(index.with_name("index.lock"), flags=os.O_WRONLY | os.O_CREAT),
    ):
        data = json.loads(index.read_text("utf-8"))
        others = {
            key: entry
            for key, entry in data["machines"].items()
            if entry["vagrantfile_path"] != str(folder)
        }
        if data["version"] == _INDEX_VERSION and others != data["machines"]:
            replace_file(index, json.dumps({**data, "machines": others}).encode())
