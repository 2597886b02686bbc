"""Where Vagrant and libvirt's pool keep a box's files."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from envctl.backends.vagrant import disks
from envctl.backends.vagrant.names import home
from envctl.errors import EnvctlError

NOTE: Final = "envctl.json"
"""The file in a box that tells what it is of; its time is that of the box's last use."""


def folder(box: str) -> Path:
    """Where Vagrant keeps a box."""
    return home() / "boxes" / _folded(box) / "0/libvirt"


def in_pool(box: str) -> str:
    """What Vagrant calls a box's disk in the pool. OSError if the box is not there."""
    version = int((folder(box) / disks.FILE).stat().st_mtime)
    return f"{_folded(box)}_vagrant_box_image_0_{version}_{disks.FILE}"


def use(box: str) -> None:
    """Note that a box is used now. EnvctlError if it is not there."""
    try:
        os.utime(folder(box) / NOTE)
    except FileNotFoundError as error:
        raise EnvctlError(
            f"the box {box} was removed meanwhile", hint="run the same command again"
        ) from error


def use_of(builds: Iterable[str]) -> None:
    """Note that the boxes of builds that are at hand are used now."""
    for build in builds:
        for note in home().glob(f"boxes/envctl-{build}-*/0/libvirt/{NOTE}"):
            with suppress(OSError):
                os.utime(note)


def last_used(box: str) -> float | None:
    """When a box was used last; None if it is not there."""
    with suppress(OSError):
        return (folder(box) / NOTE).stat().st_mtime
    return None


def _folded(box: str) -> str:
    """A box's name as Vagrant writes it into names of files."""
    return box.replace("/", "-VAGRANTSLASH-")
