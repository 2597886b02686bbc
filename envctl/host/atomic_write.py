"""Files that a user asked for, written at one stroke."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from envctl.errors import EnvctlError
from envctl.host.links import followed


def writable(path: Path) -> Path:
    """The file that `path` names, links followed. EnvctlError, which names it, if none can be written there."""
    target = followed(path)
    try:
        # Asked of the system: what Path's own questions answer where links lead in a circle depends on Python's version.
        mode = target.stat().st_mode
    except FileNotFoundError:
        if not target.parent.is_dir():
            raise EnvctlError(
                f"{path} cannot be written: there is no folder {path.parent}"
            ) from None
        return target
    except OSError as error:
        raise _unwritable(path, error) from error
    if stat.S_ISDIR(mode):
        raise EnvctlError(f"{path} is a folder", hint="name a file in it")
    if not stat.S_ISREG(mode):
        raise EnvctlError(f"{path} is not a regular file", hint="name another one")
    return target


def write_whole(path: Path, text: str) -> None:
    """Write a file at one stroke: whoever reads it finds the former or the new one, whole.

    EnvctlError, which names it, if that is impossible.
    """
    target = writable(path)
    try:
        # Made in a folder of its own it gets the permissions that any new file would.
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".envctl-") as folder:
            fresh = Path(folder, "fresh")
            fresh.write_text(text, "utf-8", errors="backslashreplace")
            fresh.replace(target)
    except OSError as error:
        raise _unwritable(path, error) from error


def have_mode(file: Path | int, mode: int) -> None:
    """Give a file, or one that is open, these permissions; on a disk that keeps none it has those that it has.

    Such a disk does as if, or refuses. OSError if it is for another reason that they cannot be set.
    """
    with suppress(PermissionError):
        os.chmod(file, mode)  # noqa: PTH101 - Path's takes no open file


def _unwritable(path: Path, error: OSError) -> EnvctlError:
    return EnvctlError(f"{path} cannot be written: {error.strerror or error}")
