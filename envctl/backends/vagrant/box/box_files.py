"""Where Vagrant and libvirt's storage pool store the files of a box.

Vagrant adds a box at NAME/VERSION/PROVIDER, since 2.4.8 at NAME/VERSION/ARCHITECTURE/PROVIDER. Since 2.4.0 it reads
both paths and prefers the second; earlier versions read only the first. So envctl moves its boxes to the first.
Source: https://github.com/hashicorp/vagrant/blob/v2.4.9/lib/vagrant/box_collection.rb
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from envctl.backends.vagrant.box import root_disk
from envctl.backends.vagrant.names import vagrant_home
from envctl.errors import EnvctlError

NOTE: Final = "envctl.json"
"""The file in a box that records its source. The file's modification time is the last use of the box."""
_METADATA: Final = "metadata.json"
"""The file by which Vagrant recognises a box."""
_VERSION: Final = "0"
"""The version that Vagrant gives to a box added from a file."""
_PROVIDER: Final = "libvirt"


def box_folder(box: str) -> Path:
    """The folder of a box, whichever version of Vagrant added it; a missing path if the box does not exist."""
    folders = _folders(box)
    return folders[0] if folders else _common(box)


def find(pattern: str) -> Iterator[tuple[str, Path]]:
    """The name and folder of each box whose name matches a shell pattern."""
    for path in sorted((vagrant_home() / "boxes").glob(pattern)):
        if folders := _folders(path.name):
            yield path.name, folders[0]


def unify(box: str) -> None:
    """Keep only the most recent copy of a box, at the path that every version of Vagrant reads."""
    latest, *others = _folders(box)
    for other in others:
        shutil.rmtree(other)
    if latest != _common(box):
        latest.rename(_common(box))
    for folder in (latest, *others):
        with suppress(OSError):
            # Remove the architecture's folder if it is empty now. Vagrant would take it for a provider's folder.
            folder.parent.rmdir()


def pool_disk_name(box: str) -> str:
    """The name of a box's disk in libvirt's pool, as chosen by Vagrant. OSError if the box does not exist."""
    version = int((box_folder(box) / root_disk.FILE).stat().st_mtime)
    return f"{_folded(box)}_vagrant_box_image_{_VERSION}_{version}_{root_disk.FILE}"


def mark_used(box: str) -> None:
    """Record that a box is used now. EnvctlError if it does not exist."""
    try:
        os.utime(box_folder(box) / NOTE)
    except FileNotFoundError as error:
        raise EnvctlError(
            f"another run removed the box {box}", hint="run the same command again"
        ) from error


def mark_used_for(builds: Iterable[str]) -> None:
    """Record that the boxes of these builds are used now."""
    for build in builds:
        for _, folder in find(f"envctl-{build}-*"):
            with suppress(OSError):
                os.utime(folder / NOTE)


def last_used(box: str) -> float | None:
    """When a box was last used; None if it does not exist."""
    with suppress(OSError):
        return (box_folder(box) / NOTE).stat().st_mtime
    return None


def _common(box: str) -> Path:
    return vagrant_home() / "boxes" / _folded(box) / _VERSION / _PROVIDER


def _folders(box: str) -> list[Path]:
    """The folders of all copies of a box, the most recent first."""
    common = _common(box)
    folders = [
        box_folder
        for box_folder in (common, *common.parent.glob(f"*/{_PROVIDER}"))
        if (box_folder / _METADATA).is_file()
    ]
    return sorted(folders, key=lambda path: (-_added(path), path))


def _added(folder: Path) -> int:
    """When a box was added. Vagrant writes this file at that time."""
    with suppress(OSError):
        return (folder / _METADATA).stat().st_mtime_ns
    return 0


def _folded(box: str) -> str:
    """The name of a box as Vagrant writes it in paths."""
    return box.replace("/", "-VAGRANTSLASH-")
