"""Creates mount points inside mounted folders of this host, such as node_modules for a volume.

An engine would create them as root. So envctl creates them first, as the owner of the folder.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from envctl.plan.model import Run

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


def make_mount_points(run: Run) -> None:
    """Create the missing mount points. Does not follow links. The engine handles those that cannot be created."""
    for mount in run.mounts:
        if mount.read_only or not Path(mount.source).is_dir():
            continue
        for target, is_file in _targets(run):
            inside = target.removeprefix(f"{mount.target.rstrip('/')}/")
            if inside != target:
                with suppress(OSError):
                    _make(mount.source, inside.split("/"), is_file=is_file)


def _targets(run: Run) -> Iterator[tuple[str, bool]]:
    """The mount points, and whether each is a file."""
    yield from ((volume.target, False) for volume in run.volumes)
    yield from ((mount.target, Path(mount.source).is_file()) for mount in run.mounts)


def _make(folder: str, parts: list[str], *, is_file: bool) -> None:
    here = os.open(folder, _FOLDER)
    try:
        owner = os.fstat(here)
        for index, part in enumerate(parts):
            is_last = index == len(parts) - 1
            if _make_part(here, part, is_file=is_file and is_last) and os.geteuid() == 0:
                os.chown(part, owner.st_uid, owner.st_gid, dir_fd=here, follow_symlinks=False)
            if is_last:
                return
            inner = os.open(part, _FOLDER, dir_fd=here)
            os.close(here)
            here = inner
    finally:
        os.close(here)


def _make_part(folder: int, name: str, *, is_file: bool) -> bool:
    """Create a file or folder in an open folder; False if the name exists."""
    try:
        if is_file:
            os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=folder))
        else:
            os.mkdir(name, 0o755, dir_fd=folder)
    except FileExistsError:
        return False
    return True
