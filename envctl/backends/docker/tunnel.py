"""Connects to an engine by `ssh://`: the `ssh` command forwards a local socket to the engine's.

docker-py needs another library for this, or starts an `ssh` for every connection. A forwarded socket allows any number
of connections, with timeouts and half-close.
"""

from __future__ import annotations

import atexit
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from envctl.errors import EnvctlError

TIMEOUT: Final = 30.0
"""How many seconds the login on the other machine may take."""
SOCKET: Final = "/var/run/docker.sock"
_PAUSE: Final = 0.02
# Ctrl-C is meant for envctl, which still needs the tunnel to clean up.
_UNDISTURBED: Final = ("/bin/sh", "-c", "trap '' INT; exec \"$@\"", "ssh")


class Tunnel:
    """A tunnel that is open until it is closed or this process ends."""

    def __init__(self, address: str) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="envctl-ssh-"))
        self._socket = self._folder / "docker.sock"
        atexit.register(self.close)
        try:
            with (self._folder / "said").open("wb") as log:
                self._ssh = subprocess.Popen(
                    [*_UNDISTURBED, *command(address, self._socket)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=log,
                )
            self._wait(address)
        except BaseException:
            self.close()
            raise

    @property
    def host(self) -> str:
        """The local end, as an engine's address."""
        return f"unix://{self._socket}"

    def close(self) -> None:
        """Close the tunnel if it is open."""
        if ssh := getattr(self, "_ssh", None):
            ssh.stdin.close()
            ssh.terminate()
            ssh.wait()
        shutil.rmtree(self._folder, ignore_errors=True)
        atexit.unregister(self.close)

    def _wait(self, address: str) -> None:
        deadline = time.monotonic() + TIMEOUT
        while not self._socket.exists():
            ended = self._ssh.poll() is not None
            if ended or time.monotonic() > deadline:
                raise EnvctlError(
                    f"cannot reach the Docker engine at {address}"
                    + ("" if ended else f" within {TIMEOUT:g} s"),
                    details=(self._folder / "said").read_text("utf-8", "replace"),
                    hint="`ssh` has to log in without a prompt: try it by hand",
                )
            time.sleep(_PAUSE)


def command(address: str, socket: Path) -> tuple[str, ...]:
    """The ssh command. The remote command ends with its input, and so with this process."""
    parts = urlsplit(address)
    try:
        port = parts.port
    except ValueError:
        port = None
    if not parts.hostname:
        raise EnvctlError(
            f"{address} has no host name", hint="write ssh://USER@HOST, or ssh://HOST:PORT"
        )
    return (
        "ssh",
        "-T",
        *("-o", "BatchMode=yes", "-o", "ExitOnForwardFailure=yes"),
        *("-o", "ServerAliveInterval=15", "-o", "StreamLocalBindMask=0177"),
        *("-L", f"{socket}:{parts.path.rstrip('/') or SOCKET}"),
        *(("-l", parts.username) if parts.username else ()),
        *(("-p", str(port)) if port else ()),
        "--",
        parts.hostname,
        "cat",
    )
