"""Where Vagrant and libvirt's pool keep a box's files.

Vagrant has a box at NAME/VERSION/PROVIDER, or from 2.4.8 on at NAME/VERSION/ARCHITECTURE/PROVIDER. From 2.4.0 on it
reads both, and takes the second if both are there; before, it knows nothing of the second.
Source: https://github.com/hashicorp/vagrant/blob/v2.4.9/lib/vagrant/box_collection.rb
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from envctl.backends.vagrant import disks
from envctl.backends.vagrant.names import vagrant_home
from envctl.errors import EnvctlError

NOTE: Final = "envctl.json"
"""The file in a box that tells what it is of; its time is that of the box's last use."""
_METADATA: Final = "metadata.json"
"""Where this file is, there is a box for Vagrant."""
_VERSION: Final = "0"
"""What Vagrant calls the version of a box that was added from a file."""
_PROVIDER: Final = "libvirt"
BY_ARCHITECTURE: Final = (2, 4)
"""The first version of Vagrant that looks for boxes by their architecture, too."""


def box_folder(box: str) -> Path:
    """Where Vagrant keeps a box, whichever version added it. Where it is not there: a folder that does not exist."""
    folders = _folders(box)
    return folders[0] if folders else _common(box)


def find(pattern: str) -> Iterator[tuple[str, Path]]:
    """Each box whose name matches a shell pattern, by its folder's name, and where Vagrant keeps it."""
    for path in sorted((vagrant_home() / "boxes").glob(pattern)):
        if folders := _folders(path.name):
            yield path.name, folders[0]


def remove_duplicates(box: str) -> None:
    """Remove what another version of Vagrant added under a box's name: the one added last stays."""
    for other in _folders(box)[1:]:
        shutil.rmtree(other)
        with suppress(OSError):
            # The architecture's folder, if nothing else is in it.
            other.parent.rmdir()


def is_common(box: str) -> bool:
    """Whether a box is where every version of Vagrant finds it."""
    return box_folder(box) == _common(box)


def move_to_common(box: str) -> None:
    """Have a box where every version of Vagrant finds it: the one that added it may have given way to an older one."""
    if not is_common(box):
        box_folder(box).rename(_common(box))


def pool_disk_name(box: str) -> str:
    """What Vagrant calls a box's disk in the pool. OSError if the box is not there."""
    version = int((box_folder(box) / disks.FILE).stat().st_mtime)
    return f"{_folded(box)}_vagrant_box_image_{_VERSION}_{version}_{disks.FILE}"


def mark_used(box: str) -> None:
    """Note that a box is used now. EnvctlError if it is not there."""
    try:
        os.utime(box_folder(box) / NOTE)
    except FileNotFoundError as error:
        raise EnvctlError(
            f"the box {box} was removed meanwhile", hint="run the same command again"
        ) from error


def mark_used_for(builds: Iterable[str]) -> None:
    """Note that the boxes of builds that are at hand are used now."""
    for build in builds:
        for _, folder in find(f"envctl-{build}-*"):
            with suppress(OSError):
                os.utime(folder / NOTE)


def last_used(box: str) -> float | None:
    """When a box was used last; None if it is not there."""
    with suppress(OSError):
        return (box_folder(box) / NOTE).stat().st_mtime
    return None


def _common(box: str) -> Path:
    return vagrant_home() / "boxes" / _folded(box) / _VERSION / _PROVIDER


def _folders(box: str) -> list[Path]:
    """The folders where versions of Vagrant have a box, the one added last first."""
    common = _common(box)
    folders = [
        box_folder
        for box_folder in (common, *common.parent.glob(f"*/{_PROVIDER}"))
        if (box_folder / _METADATA).is_file()
    ]
    return sorted(folders, key=lambda path: (-_added(path), path))


def _added(folder: Path) -> int:
    """When a box was added, as Vagrant writes its files: none of their times comes with the box."""
    with suppress(OSError):
        return (folder / _METADATA).stat().st_mtime_ns
    return 0


def _folded(box: str) -> str:
    """A box's name as Vagrant writes it into names of files."""
    return box.replace("/", "-VAGRANTSLASH-")
