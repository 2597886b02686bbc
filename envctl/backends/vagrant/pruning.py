"""Boxes that no machine is made from any more: the ones used last are kept, the others go, with their disks.

A box is a whole disk, and there twice: Vagrant has one, libvirt's pool another. Images share their layers.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Final

from envctl.backends.vagrant import libvirt
from envctl.backends.vagrant.boxfiles import NOTE, in_pool
from envctl.backends.vagrant.names import cache, home
from envctl.backends.vagrant.runner import Vagrant
from envctl.exclusive import exclusive
from envctl.plan.progress import Progress, Report, Stage

KEPT: Final = 10
"""Boxes that are kept though no machine is made from them."""
GRACE: Final = 3600.0
"""Seconds after its last use in which a box is let be: another run may be about to make a machine from it."""
_BOX: Final = re.compile(r"envctl-[0-9a-f]{24}(-engine)?-[0-9a-f]{8}")
"""Boxes of builds and images, of any version of envctl; bases are not among them."""
_DISK: Final = re.compile(rf"({_BOX.pattern})_vagrant_box_image_0_[0-9]+_box\.img")


def spare(used: Mapping[str, float], needed: Collection[str], now: float) -> list[str]:
    """The boxes that may go, of those with these times of their last use, but for the `needed` ones. Pure."""
    free = sorted(used.keys() - set(needed), key=lambda box: (-used[box], box))
    return [box for box in free[KEPT:] if now - used[box] > GRACE]


def prune(report: Report) -> None:
    """Remove the boxes that may go. EnvctlError if Vagrant or libvirt do not answer, or not remove one."""
    with exclusive(cache() / "locks", "prune", report):
        pools = libvirt.described_disks()
        stood_on = {disk.stands_on for pool in pools.values() for disk in pool.values()}
        known = pools.get(libvirt.POOL, {})
        own: dict[str, list[str]] = {}
        for name in known:
            if found := _DISK.fullmatch(name):
                own.setdefault(found[1], []).append(name)
        needed = {box for box, names in own.items() if stood_on & {*names}}
        now = time.time()
        for box in spare(_used(), needed, now):
            report(Progress("boxes", Stage.NOTE, f"{box} is removed: no machine is made from it"))
            Vagrant(home()).remove_box(box)
            libvirt.remove_disks(own.pop(box, ()))
        for box in own.keys() & _used().keys():
            # Of the same name, but made anew since.
            earlier = {*own[box]} - stood_on - {in_pool(box)}
            libvirt.remove_disks([one for one in earlier if now - known[one].written > GRACE])


def _used() -> dict[str, float]:
    """When each box was last used."""
    found = {}
    for note in home().glob(f"boxes/envctl-*/0/libvirt/{NOTE}"):
        box = note.parents[2].name
        with suppress(OSError):
            if _BOX.fullmatch(box):
                found[box] = note.stat().st_mtime
    return found
