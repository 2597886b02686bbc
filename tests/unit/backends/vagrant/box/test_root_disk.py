"""How images make disks of themselves: by a script, and whatever else they leave is not taken."""

from __future__ import annotations

import subprocess
from importlib.resources import files

import pytest

from envctl.backends.vagrant.box import root_disk
from envctl.errors import EnvctlError


class Leaving:
    """An engine whose container scripts leave these files."""

    def __init__(self, **left: bytes) -> None:
        self.left = left

    def run_script(self, _image, container_script):
        for name, data in self.left.items():
            (container_script.bring / name).write_bytes(data)
        return b""


def sparse_tar(folder):
    """A tar as the script makes it: 20 GB of which some bytes are there."""
    raw = folder / "raw"
    with raw.open("wb") as file:
        file.seek(12 << 30)
        file.write(b"disk" * 1024)
        file.truncate(20 << 30)
    subprocess.run(
        ["tar", "-C", folder, "--format=gnu", "-cSf", folder / "made.tar", "raw"], check=True
    )
    raw.unlink()
    return (folder / "made.tar").read_bytes()


def test_shellcheck_has_nothing_to_say():
    path = str(files("envctl.backends.vagrant.box") / "root_disk.sh")
    done = subprocess.run(
        ["shellcheck", "--shell=sh", path], capture_output=True, text=True, check=False
    )
    assert not done.stdout


def test_what_else_an_image_leaves_is_not_a_file_of_its_box(tmp_path, monkeypatch):
    ran = []
    monkeypatch.setattr(root_disk, "run", lambda *argv: ran.append(argv))
    making = tmp_path / "making"
    making.mkdir()
    options = {
        "--checkpoint=1": b"",
        "--checkpoint-action=exec=touch x": b"",
        "metadata.json": b"{}",
    }

    root_disk.from_image(Leaving(**options, **{"disk.tar": sparse_tar(tmp_path)}), "web:1", making)

    assert [*making.iterdir()] == []
    assert [argv[0] for argv in ran] == ["qemu-img"]


@pytest.mark.parametrize("left", [{}, {"disk.tar": b""}, {"disk.tar": bytes(2048)}, {"raw": b"x"}])
def test_an_image_that_leaves_no_disk_is_reported(tmp_path, left):
    with pytest.raises(EnvctlError, match="cannot make the disk of web:1: "):
        root_disk.from_image(Leaving(**left), "web:1", tmp_path)

    assert not (tmp_path / root_disk.FILE).exists()
