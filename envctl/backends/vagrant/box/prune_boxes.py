"""Removes boxes that no machine uses, with their disks, except for the most recently used ones.

A box is a whole disk, stored twice: by Vagrant and in libvirt's pool. (Images share layers, boxes do not.) All users
share the pool, and another user's box may have a disk of the same name. So only disks that are known to belong to this
user are removed.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

from envctl.backends.base import Garbage
from envctl.backends.vagrant import libvirt
from envctl.backends.vagrant.box import box_files, root_disk
from envctl.backends.vagrant.box.box_files import last_used, pool_disk_name
from envctl.backends.vagrant.box.build_dir import build_dir
from envctl.backends.vagrant.names import cache_folder
from envctl.backends.vagrant.vagrant_cli import Vagrant
from envctl.errors import EnvctlError
from envctl.host.run_lock import exclusive
from envctl.progress import Progress, Report, Stage, no_progress

MAX_UNUSED: Final = 10
"""How many unused boxes are kept."""
GRACE: Final = 3600.0
"""How many seconds a box is kept after its last use, because another run may be about to create a machine from it."""
_BOX: Final = re.compile(r"envctl-[0-9a-f]{24}(-engine)?-[0-9a-f]{8}")
"""The names of boxes of builds and images, from any version of envctl. Boxes of bases do not match."""
_DISK: Final = re.compile(r"envctl-[A-Za-z0-9.-]+_vagrant_box_image_0_[0-9]+_box\.img")
"""The names of disks in the pool that belong to boxes of envctl."""


def prunable(used: Mapping[str, float], needed: Collection[str], now: float) -> list[str]:
    """The boxes to remove, from the time of each box's last use and the needed ones. Pure."""
    free = sorted(used.keys() - set(needed), key=lambda box: (-used[box], box))
    return [box for box in free[MAX_UNUSED:] if now - used[box] > GRACE]


def release(disk: str) -> None:
    """Record that a disk in the pool is unused. It is removed when no other disk is based on it."""
    with exclusive(cache_folder() / "locks", "leftovers", no_progress):
        _leftovers_file().parent.mkdir(parents=True, exist_ok=True)
        with _leftovers_file().open("a", encoding="utf-8") as file:
            file.write(f"{disk}\n")


def prune(report: Report) -> None:
    """Remove unused boxes. EnvctlError if Vagrant or libvirt fails."""
    locks = cache_folder() / "locks"
    with exclusive(locks, "prune", report):
        used = dict(_used())
        needed = _needed(used) if len(used) > MAX_UNUSED else used
        for box in prunable(used, needed, time.time()):
            _remove_unused(box, used[box], report)
        _remove_leftovers(locks)


def unused_boxes(needed_builds: Collection[str]) -> Sequence[Garbage]:
    """The boxes that no machine uses, that were not used recently, and that do not belong to these builds."""
    used = dict(_used())
    boxes = without_use(used, _needed(used), needed_builds, now=time.time())
    return [Garbage("box", box, box, _size(box)) for box in boxes]


def without_use(
    used: Mapping[str, float],
    needed: Collection[str],
    needed_builds: Collection[str],
    *,
    now: float,
) -> list[str]:
    """The boxes that neither a machine nor a build needs, from the time of each box's last use. Pure."""
    return [
        box
        for box in sorted(used.keys() - set(needed))
        # The name contains the build's digest: envctl-DIGEST-….
        if now - used[box] > GRACE and box.split("-")[1] not in needed_builds
    ]


def remove_unused(box: str, report: Report) -> bool:
    """Remove a box from `unused_boxes`, unless it is in use by now. Returns whether it was removed."""
    locks = cache_folder() / "locks"
    with exclusive(locks, "prune", report):
        used = last_used(box)
        if used is not None and time.time() - used > GRACE:
            _remove_unused(box, used, report)
        _remove_leftovers(locks)
    return not any(box_files.find(box))


def _remove_unused(box: str, used: float, report: Report) -> None:
    """Remove a box unless another run has used it since, or is using it now."""
    locks = cache_folder() / "locks"
    with ExitStack() as held:
        try:
            held.enter_context(exclusive(locks, f"box-{box}", no_progress, patience=0))
        except EnvctlError:
            # Another run is using it.
            return
        if last_used(box) == used and not _needed([box]):
            report(Progress("boxes", Stage.NOTE, f"removing {box}: no machine uses it"))
            _remove(box)


def _size(box: str) -> int:
    """The size of a box in bytes, without its disk in libvirt's pool."""
    files = (file for _, folder in box_files.find(box) for file in folder.rglob("*"))
    return sum(file.stat().st_blocks * 512 for file in files if file.is_file())


def _needed(boxes: Collection[str]) -> set[str]:
    """The boxes that machines use, because the machines' disks are based on them."""
    backing_disks = libvirt.backing_disks()
    return {box for box in boxes if pool_disk_name(box) in backing_disks}


def _remove(box: str) -> None:
    release(pool_disk_name(box))
    # Make sure that the installed Vagrant finds the box, whichever version added it.
    box_files.unify(box)
    with build_dir() as folder:
        # Without a Vagrantfile here, Vagrant would run one of a parent folder.
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
    """The file with the names of unused disks."""
    return cache_folder() / "leftovers"


def _used() -> Iterator[tuple[str, float]]:
    """All complete boxes, and the time of their last use."""
    for box, folder in box_files.find("envctl-*"):
        whole = (folder / root_disk.FILE).is_file()
        if whole and _BOX.fullmatch(box) and (used := last_used(box)) is not None:
            yield box, used
