"""Boxes that pile up: those no machine is made from go, with their disks in libvirt's pool, and nothing else does."""

from __future__ import annotations

import json
import os
import uuid
from contextlib import suppress
from pathlib import Path

import pytest

from envctl.backends.vagrant import libvirt
from envctl.backends.vagrant.box.box_files import NOTE, mark_used_for, pool_disk_name
from envctl.backends.vagrant.box.prune_boxes import GRACE, MAX_UNUSED, prune, release
from envctl.backends.vagrant.names import cache_folder
from envctl.errors import EnvctlError
from envctl.host.run_lock import exclusive
from envctl.progress import no_progress

pytestmark = [pytest.mark.engine, pytest.mark.machines]


@pytest.fixture
def alone(tmp_path_factory):
    """No other of these tests at the same time: the pools are everybody's."""
    with exclusive(tmp_path_factory.getbasetemp().parent / "locks", "boxes", no_progress):
        yield


@pytest.fixture
def boxes(machines, alone, tmp_path, monkeypatch):
    """More boxes than are kept, by age, each with a disk in the pool; on the two oldest there are machines', one in another pool."""
    monkeypatch.setenv("VAGRANT_HOME", str(tmp_path / "vagrant"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    libvirt.ensure_pool()
    mark = uuid.uuid4().hex[:22]
    names = [f"envctl-{mark}{number:02x}-00000000" for number in range(MAX_UNUSED + 4)]
    for age, box in enumerate(names):
        # Every third as a newer Vagrant keeps it.
        layout = "0/libvirt" if age % 3 else "0/amd64/libvirt"
        made(tmp_path / "vagrant", box, older=GRACE + 60 * (1 + age), layout=layout)
    disks = [pool_disk_name(box) for box in names]
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
        with suppress(libvirt.VirshError):
            libvirt.virsh("pool-destroy", mark)
        libvirt.remove_disks([f"{mark}_web.img", *disks])


def add(disk: str, *more: str) -> None:
    libvirt.virsh("vol-create-as", libvirt.POOL, disk, "1M", "--format", "qcow2", *more)


def made(home: Path, box: str, *, older: float, layout: str = "0/libvirt") -> None:
    """A box as Vagrant keeps it, last used so many seconds ago."""
    folder = home / "boxes" / box / layout
    folder.mkdir(parents=True)
    (folder / "metadata.json").write_text('{"provider": "libvirt"}')
    (folder / "box.img").write_text("")
    (folder / NOTE).write_text(json.dumps({"build": "x"}))
    then = (folder / NOTE).stat().st_mtime - older
    os.utime(folder / NOTE, (then, then))


def there(home: Path) -> set[str]:
    return {path.name for path in (home / "boxes").iterdir()}


def in_pool_of(boxes: list[str]) -> set[str]:
    return {disk for disk in libvirt.disks() if disk.partition("_")[0] in boxes}


def test_boxes_that_no_machine_is_made_from_go_with_their_disks(boxes, tmp_path):
    home = tmp_path / "vagrant"
    made(home, "debian-VAGRANTSLASH-bookworm64", older=9 * GRACE)
    of_another_user = f"{boxes[MAX_UNUSED]}_vagrant_box_image_0_1_box.img"
    add(of_another_user)
    # Ten that are free, and the oldest, on which machines' disks stand.
    kept = {*boxes[:MAX_UNUSED], *boxes[-2:]}
    disks = {pool_disk_name(box) for box in kept}
    try:
        prune(no_progress)

        assert there(home) == {*kept, "debian-VAGRANTSLASH-bookworm64"}
        assert in_pool_of(boxes) == {*disks, of_another_user}

        prune(no_progress)

        assert there(home) == {*kept, "debian-VAGRANTSLASH-bookworm64"}
    finally:
        libvirt.remove_disks([of_another_user])


def test_one_that_a_run_holds_or_has_just_planned_with_is_let_be(boxes, tmp_path):
    digest = boxes[MAX_UNUSED].split("-")[1]
    with exclusive(cache_folder() / "locks", f"box-{boxes[MAX_UNUSED]}", no_progress):
        prune(no_progress)
    assert boxes[MAX_UNUSED] in there(tmp_path / "vagrant")
    assert boxes[MAX_UNUSED + 1] not in there(tmp_path / "vagrant")

    mark_used_for([digest])
    prune(no_progress)

    assert boxes[MAX_UNUSED] in there(tmp_path / "vagrant")


def test_the_disk_of_a_box_that_is_replaced_goes_when_nothing_stands_on_it(boxes):
    earlier, machine = f"{boxes[0]}_vagrant_box_image_0_1_box.img", f"{boxes[0]}.img"
    add(earlier)
    add(machine, "--backing-vol", earlier, "--backing-vol-format", "qcow2")
    try:
        release(earlier)
        prune(no_progress)
        assert earlier in libvirt.disks()

        libvirt.remove_disks([machine])
        prune(no_progress)

        assert in_pool_of(boxes[:1]) == {pool_disk_name(boxes[0])}
    finally:
        libvirt.remove_disks([machine, earlier])


def test_nothing_goes_while_a_pool_does_not_tell_its_disks(boxes, tmp_path):
    pool = f"idle {uuid.uuid4().hex}"
    xml = tmp_path / "pool.xml"
    xml.write_text(
        f"<pool type='dir'><name>{pool}</name><target><path>{tmp_path}</path></target></pool>"
    )
    libvirt.virsh("pool-define", str(xml))
    try:
        with pytest.raises(EnvctlError, match="is not running"):
            prune(no_progress)
        assert {*boxes} <= there(tmp_path / "vagrant")
    finally:
        libvirt.virsh("pool-undefine", pool)
