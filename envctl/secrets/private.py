"""Files only their owner can read."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

PRIVATE_FOLDER = 0o700
PRIVATE_FILE = 0o600


def folder(path: Path, top: Path) -> Path:
    """The folder, made if missing and closed to others, as are its parents below `top`."""
    chain = [path]
    while chain[-1] != top and chain[-1].parent != chain[-1]:
        chain.append(chain[-1].parent)
    for one in reversed(chain[:-1]):
        with suppress(FileExistsError):
            one.mkdir(mode=PRIVATE_FOLDER)
        tighten(one, PRIVATE_FOLDER)
    return path


def tighten(path: Path, mode: int) -> None:
    """Take from others what `mode` does not give them."""
    with suppress(FileNotFoundError):
        if stat.S_IMODE(path.stat().st_mode) & ~mode:
            path.chmod(mode)


def read(path: Path) -> bytes | None:
    """The content of a private file, tightened if it was open; None if it is not there."""
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    tighten(path, PRIVATE_FILE)
    return data


def write_once(path: Path, data: bytes) -> bytes:
    """Write the file unless it is there by now; its content. Whole or not at all, whoever races."""
    handle, name = tempfile.mkstemp(prefix=".new-", dir=path.parent)
    fresh = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(fresh, path)
        except FileExistsError:
            return path.read_bytes()
        except OSError:
            # A file system without hard links: the caller's lock is all there is against a race.
            fresh.replace(path)
        return data
    finally:
        fresh.unlink(missing_ok=True)
