"""Boxes that pile up: those no machine is made from go, with their disks in libvirt's pool, and nothing else does."""

from __future__ import annotations

import json
import os
import uuid
from contextlib import suppress
from pathlib import Path

import pytest

from envctl.backends.vagrant import libvirt, pruning
from envctl.backends.vagrant.boxfiles import NOTE, in_pool
from envctl.backends.vagrant.pruning import GRACE, KEPT, prune
from envctl.plan.progress import silent

pytestmark = [pytest.mark.engine, pytest.mark.machines]


@pytest.fixture
def boxes(machines, tmp_path, monkeypatch):
    """More boxes than are kept, by age, each with a disk in the pool; on the two oldest there are machines', one in another pool."""
    monkeypatch.setenv("VAGRANT_HOME", str(tmp_path / "vagrant"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    libvirt.have_pool()
    mark = uuid.uuid4().hex[:22]
    names = [f"envctl-{mark}{number:02x}-00000000" for number in range(KEPT + 4)]
    for age, box in enumerate(names):
        made(tmp_path / "vagrant", box, older=GRACE + 60 * (1 + age))
    disks = [in_pool(box) for box in names]
    try:
        for disk in disks:
            add(disk)
        add(f"{mark}_web.img", "--backing-vol", disks[-1], "--backing-vol-format", "qcow2")
        (tmp_path / "pool").mkdir()
        libvirt.virsh("pool-create-as", mark, "dir", "--target", str(tmp_path / "pool"))
        path = libvirt.virsh("vol-path", disks[-2], "--pool", libvirt.POOL).strip()
        on = ("--backing-vol", path, "--backing-vol-format", "qcow2")
        libvirt.virsh("vol-create-as", mark, "web.img", "1M", "--format", "qcow2", *on)
        yield names
    finally:
        with suppress(libvirt.RefusedError):
            libvirt.virsh("pool-destroy", mark)
        libvirt.remove_disks([f"{mark}_web.img", *disks])


def add(disk: str, *more: str) -> None:
    libvirt.virsh("vol-create-as", libvirt.POOL, disk, "1M", "--format", "qcow2", *more)


def made(home: Path, box: str, *, older: float) -> None:
    """A box as Vagrant keeps it, last used so many seconds ago."""
    folder = home / "boxes" / box / "0" / "libvirt"
    folder.mkdir(parents=True)
    (folder / "metadata.json").write_text('{"provider": "libvirt"}')
    (folder / "box.img").write_text("")
    (folder / NOTE).write_text(json.dumps({"build": "x"}))
    then = (folder / NOTE).stat().st_mtime - older
    os.utime(folder / NOTE, (then, then))


def there(home: Path) -> set[str]:
    return {path.name for path in (home / "boxes").iterdir()}


def in_pool_of(boxes: list[str]) -> list[str]:
    return [disk for disk in libvirt.disks() if disk.partition("_")[0] in boxes]


def test_boxes_that_no_machine_is_made_from_go_with_their_disks(boxes, tmp_path):
    home = tmp_path / "vagrant"
    made(home, "debian-VAGRANTSLASH-bookworm64", older=9 * GRACE)

    prune(silent)

    # Ten that are free, and the oldest, on which machines' disks stand.
    kept = {*boxes[:KEPT], *boxes[-2:]}
    assert there(home) == {*kept, "debian-VAGRANTSLASH-bookworm64"}
    assert {*in_pool_of(boxes)} == {in_pool(box) for box in kept}

    prune(silent)

    assert there(home) == {*kept, "debian-VAGRANTSLASH-bookworm64"}


def test_the_disk_of_a_box_that_was_made_anew_since_goes(boxes, monkeypatch):
    earlier = f"{boxes[0]}_vagrant_box_image_0_1_box.img"
    add(earlier)
    try:
        prune(silent)
        # Somebody may just be making a machine from it.
        assert earlier in libvirt.disks()

        monkeypatch.setattr(pruning, "GRACE", -1.0)
        prune(silent)

        assert in_pool_of(boxes[:1]) == [in_pool(boxes[0])]
    finally:
        libvirt.remove_disks([earlier])
