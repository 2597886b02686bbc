"""Finds kernels in the user's cache that new boxes do not use: of earlier versions or other projects' templates."""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

from envctl.backends.base import Garbage
from envctl.backends.vagrant.box import boot
from envctl.backends.vagrant.box.kernel_files import FILES
from envctl.backends.vagrant.names import cache_folder
from envctl.host.run_lock import exclusive
from envctl.progress import Report

KIND: Final = "cache"
_FOLDER: Final = re.compile("[0-9a-f]{24}")


def unused_kernels(needed: Collection[str], template_digest: str) -> Sequence[Garbage]:
    """The folders of kernels, except the current one and those of `needed` builds. Boxes contain copies."""
    current = boot.kernel_build(boot.KERNEL_BASE, template_digest=template_digest).digest
    if not cache_folder().is_dir():
        return ()
    folders = sorted(
        folder
        for folder in cache_folder().iterdir()
        if _is_kernel(folder) and folder.name not in (current, *needed)
    )
    return [
        Garbage(KIND, f"kernel {folder.name}", folder.name, _size(folder)) for folder in folders
    ]


def _is_kernel(folder: Path) -> bool:
    names = {file.name for file in folder.iterdir()} if folder.is_dir() else set[str]()
    return bool(_FOLDER.fullmatch(folder.name)) and names <= {*FILES}


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


def remove_kernel(name: str, report: Report) -> bool:
    """Remove a kernel from `unused_kernels`."""
    assert _FOLDER.fullmatch(name)  # so it is not a path
    with exclusive(cache_folder() / "locks", "kernel", report):
        shutil.rmtree(cache_folder() / name, ignore_errors=True)
    return not (cache_folder() / name).exists()
