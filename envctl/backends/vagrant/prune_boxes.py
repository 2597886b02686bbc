"""Boxes that no machine is made from any more: the ones used last are kept, the others go, with their disks.

A box is a whole disk, and there twice: Vagrant has one, libvirt's pool another. Images share their layers. The pool is
everybody's: another user's disk may be for a box of the same name, so only such go that were seen to be of one's own.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

from envctl.backends.vagrant import box_files, disks, libvirt
from envctl.backends.vagrant.box_files import last_used, pool_disk_name
from envctl.backends.vagrant.build_dir import build_dir
from envctl.backends.vagrant.names import cache_folder
from envctl.backends.vagrant.vagrant_cli import Vagrant
from envctl.errors import EnvctlError
from envctl.host.run_lock import exclusive
from envctl.progress import Progress, Report, Stage, no_progress

MAX_UNUSED: Final = 10
"""Boxes that are kept though no machine is made from them."""
GRACE: Final = 3600.0
"""Seconds after its last use in which a box is let be: another run may be about to make a machine from it."""
_BOX: Final = re.compile(r"envctl-[0-9a-f]{24}(-engine)?-[0-9a-f]{8}")
"""Boxes of builds and images, of any version of envctl; bases are not among them."""
_DISK: Final = re.compile(r"envctl-[A-Za-z0-9.-]+_vagrant_box_image_0_[0-9]+_box\.img")
"""Disks of boxes that envctl made, in the pool."""


def prunable(used: Mapping[str, float], needed: Collection[str], now: float) -> list[str]:
    """The boxes that may go, of those with these times of their last use, but for the `needed` ones. Pure."""
    free = sorted(used.keys() - set(needed), key=lambda box: (-used[box], box))
    return [box for box in free[MAX_UNUSED:] if now - used[box] > GRACE]


def release(disk: str) -> None:
    """Note that a disk in the pool is of no use any more: it goes when nothing stands on it."""
    with exclusive(cache_folder() / "locks", "leftovers", no_progress):
        _leftovers_file().parent.mkdir(parents=True, exist_ok=True)
        with _leftovers_file().open("a", encoding="utf-8") as file:
            file.write(f"{disk}\n")


def prune(report: Report) -> None:
    """Remove the boxes that may go. EnvctlError if Vagrant or libvirt do not answer, or not remove one."""
    locks = cache_folder() / "locks"
    with exclusive(locks, "prune", report):
        used = dict(_used())
        needed = _needed(used) if len(used) > MAX_UNUSED else used
        for box in prunable(used, needed, time.time()):
            with ExitStack() as held:
                try:
                    held.enter_context(exclusive(locks, f"box-{box}", no_progress, patience=0))
                except EnvctlError:
                    # Somebody uses it.
                    continue
                if last_used(box) == used[box] and not _needed([box]):
                    report(Progress("boxes", Stage.NOTE, f"{box} goes: no machine is made from it"))
                    _remove(box)
        _remove_leftovers(locks)


def _needed(boxes: Collection[str]) -> set[str]:
    """Those of these boxes that machines are made from: other disks stand on theirs."""
    backing_disks = libvirt.backing_disks()
    return {box for box in boxes if pool_disk_name(box) in backing_disks}


def _remove(box: str) -> None:
    release(pool_disk_name(box))
    # Whatever version of Vagrant added it, the one that is there now has to find it.
    box_files.remove_duplicates(box)
    box_files.move_to_common(box)
    with build_dir() as folder:
        # Vagrant looks for one in all folders above, and runs it.
        (folder / "Vagrantfile").write_text("", "utf-8")
        Vagrant(folder).remove_box(box)


def _remove_leftovers(locks: Path) -> None:
    with exclusive(locks, "leftovers", no_progress), suppress(FileNotFoundError):
        leftovers = [
            disk
            for disk in _leftovers_file().read_text("utf-8").splitlines()
            if _DISK.fullmatch(disk)
        ]
        backing_disks = libvirt.backing_disks() if leftovers else ()
        libvirt.remove_disks([disk for disk in leftovers if disk not in backing_disks])
        _leftovers_file().write_text(
            "".join(f"{disk}\n" for disk in leftovers if disk in backing_disks), "utf-8"
        )


def _leftovers_file() -> Path:
    """The file that names disks of no use."""
    return cache_folder() / "leftovers"


def _used() -> Iterator[tuple[str, float]]:
    """Each whole box, and when it was used last."""
    for box, folder in box_files.find("envctl-*"):
        whole = (folder / disks.FILE).is_file()
        if whole and _BOX.fullmatch(box) and (used := last_used(box)) is not None:
            yield box, used
