"""Disks made from what a machine or an image wrote: no word of theirs leads to a file of this host."""

from __future__ import annotations

import subprocess

import pytest

from envctl.backends.vagrant import disks

pytestmark = [pytest.mark.engine, pytest.mark.machines, pytest.mark.core]


def qemu_img(*argv: str) -> str:
    return subprocess.run(["qemu-img", *argv], capture_output=True, text=True, check=True).stdout


def test_a_disk_that_calls_itself_another_format_is_taken_as_it_is(machines, tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(b"of this host" * 4096)
    evil = tmp_path / "evil.qcow2"
    qemu_img("create", "-q", "-f", "qcow2", "-b", str(secret), "-F", "raw", str(evil), "16M")
    raw = tmp_path / "raw"
    with raw.open("wb") as file:
        file.truncate(16 << 20)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", str(raw)], check=True)
    with raw.open("r+b") as file:
        file.write(evil.read_bytes()[:1024])
    machine = tmp_path / "machine.qcow2"
    qemu_img("convert", "-f", "raw", "-O", "qcow2", str(raw), str(machine))
    made = tmp_path / "made"
    made.mkdir()

    disks.from_machine(machine, made)

    out = tmp_path / "out"
    qemu_img("convert", "-f", "qcow2", "-O", "raw", str(made / disks.FILE), str(out))
    assert b"of this host" not in out.read_bytes()


def test_a_link_in_an_image_leads_nowhere_outside(machines, tmp_path):
    root, target = tmp_path / "root", tmp_path / "target"
    root.mkdir()
    target.mkdir(mode=0o700)
    (target / "kept").write_text("kept")
    (root / "dev").symlink_to(target)
    made = tmp_path / "made"
    made.mkdir()

    disks.from_root(root, made)

    assert (target / "kept").read_text() == "kept"
    assert target.stat().st_mode & 0o777 == 0o700
