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

from envctl.backends.vagrant import boxfiles, disks, libvirt
from envctl.backends.vagrant.boxfiles import in_pool, last_used
from envctl.backends.vagrant.build_dir import workshop
from envctl.backends.vagrant.names import cache
from envctl.backends.vagrant.runner import Vagrant
from envctl.errors import EnvctlError
from envctl.host.run_lock import exclusive
from envctl.progress import Progress, Report, Stage, no_progress

KEPT: Final = 10
"""Boxes that are kept though no machine is made from them."""
GRACE: Final = 3600.0
"""Seconds after its last use in which a box is let be: another run may be about to make a machine from it."""
_BOX: Final = re.compile(r"envctl-[0-9a-f]{24}(-engine)?-[0-9a-f]{8}")
"""Boxes of builds and images, of any version of envctl; bases are not among them."""
_DISK: Final = re.compile(r"envctl-[A-Za-z0-9.-]+_vagrant_box_image_0_[0-9]+_box\.img")
"""Disks of boxes that envctl made, in the pool."""


def spare(used: Mapping[str, float], needed: Collection[str], now: float) -> list[str]:
    """The boxes that may go, of those with these times of their last use, but for the `needed` ones. Pure."""
    free = sorted(used.keys() - set(needed), key=lambda box: (-used[box], box))
    return [box for box in free[KEPT:] if now - used[box] > GRACE]


def leave(disk: str) -> None:
    """Note that a disk in the pool is of no use any more: it goes when nothing stands on it."""
    with exclusive(cache() / "locks", "leftovers", no_progress):
        _left().parent.mkdir(parents=True, exist_ok=True)
        with _left().open("a", encoding="utf-8") as file:
            file.write(f"{disk}\n")


def prune(report: Report) -> None:
    """Remove the boxes that may go. EnvctlError if Vagrant or libvirt do not answer, or not remove one."""
    locks = cache() / "locks"
    with exclusive(locks, "prune", report):
        used = dict(_used())
        needed = _needed(used) if len(used) > KEPT else used
        for box in spare(used, needed, time.time()):
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
    stood_on = libvirt.stood_on()
    return {box for box in boxes if in_pool(box) in stood_on}


def _remove(box: str) -> None:
    leave(in_pool(box))
    # Whatever version of Vagrant added it, the one that is there now has to find it.
    boxfiles.leave_one(box)
    boxfiles.settle(box)
    with workshop() as folder:
        # Vagrant looks for one in all folders above, and runs it.
        (folder / "Vagrantfile").write_text("", "utf-8")
        Vagrant(folder).remove_box(box)


def _remove_leftovers(locks: Path) -> None:
    with exclusive(locks, "leftovers", no_progress), suppress(FileNotFoundError):
        left = [one for one in _left().read_text("utf-8").splitlines() if _DISK.fullmatch(one)]
        stood_on = libvirt.stood_on() if left else ()
        libvirt.remove_disks([one for one in left if one not in stood_on])
        _left().write_text("".join(f"{one}\n" for one in left if one in stood_on), "utf-8")


def _left() -> Path:
    """The file that names disks of no use."""
    return cache() / "leftovers"


def _used() -> Iterator[tuple[str, float]]:
    """Each whole box, and when it was used last."""
    for box, folder in boxfiles.find("envctl-*"):
        whole = (folder / disks.FILE).is_file()
        if whole and _BOX.fullmatch(box) and (used := last_used(box)) is not None:
            yield box, used
