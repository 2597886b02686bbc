"""The key pair for the machines of an environment."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from envctl.errors import EnvctlError
from envctl.host.atomic_write import replace_file

_PUBLIC: Final = re.compile(r"ssh-ed25519 ([A-Za-z0-9+/=]+)(\s|$)")


def make_key(path: Path) -> str:
    """The public key of the private key at `path`. Creates the key if it does not exist.

    EnvctlError if the file is a link, belongs to another user, is readable by others, or is not a key: others could
    know a key that came with the project.
    """
    if not os.path.lexists(path):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(prefix=".envctl-", dir=path.parent) as folder:
            key = Path(folder, "key")
            _keygen("-t", "ed25519", "-N", "", "-C", "envctl", "-f", str(key))
            replace_file(path, key.read_bytes(), mode=0o600)
    status = path.lstat()
    is_private = (
        stat.S_ISREG(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o077
    )
    public = _PUBLIC.match(_keygen("-y", "-f", str(path))) if is_private else None
    if public is None:
        raise EnvctlError(
            f"{path} is not a private key that only you can read",
            hint="remove it, then run `envctl down` and `envctl up`: envctl creates a new one",
        )
    return public[1]


def _keygen(*argv: str) -> str:
    done = subprocess.run(
        ["ssh-keygen", "-q", *argv],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise EnvctlError("ssh-keygen failed", details=done.stderr)
    return done.stdout
