"""Where Vagrant and libvirt's pool keep a box's files."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from envctl.backends.vagrant import disks
from envctl.backends.vagrant.names import home

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
    """Note that a box is used now."""
    (folder(box) / NOTE).touch()


def _folded(box: str) -> str:
    """A box's name as Vagrant writes it into names of files."""
    return box.replace("/", "-VAGRANTSLASH-")
