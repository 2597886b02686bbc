"""The root disks of machines, made with `mke2fs -d` and `qemu-img`: without mounts, loop devices or root on this host.

Vagrant creates the disks of volumes, as declared by `machine/vagrantfile.py`.
"""

from __future__ import annotations

import shutil
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Final

from envctl.backends.base import ImageEngine
from envctl.backends.common.build_inputs import BROUGHT, ContainerScript
from envctl.backends.vagrant.box import sparse_tar
from envctl.errors import EnvctlError

SIZE: Final = "20G"
"""The maximum size of a machine's root disk."""
FILE: Final = "box.img"
_TIMEOUT: Final = 1800.0
"""The timeout for making a disk in a container, in seconds."""
_EMPTIED: Final = (("dev", 0o755), ("proc", 0o555), ("sys", 0o555))
_MENDED: Final = 1
"""The exit code of e2fsck if it has repaired all errors."""


def from_image(engine: ImageEngine, image: str, folder: Path) -> None:
    """Make the disk of a machine's image in a folder, in a container of that image: see docs/decisions/machines.md."""
    script = (files("envctl.backends.vagrant.box") / "root_disk.sh").read_text("utf-8")
    # The image may leave other files there, which must not become files of the box.
    output, raw = folder / "brought", folder / "raw"
    output.mkdir()
    copy_disk = ContainerScript(script, (BROUGHT, SIZE), bring=output, timeout=_TIMEOUT)
    engine.run_script(image, copy_disk)
    try:
        sparse_tar.unpack(output / "disk.tar", raw, int(SIZE.removesuffix("G")) << 30)
    except (OSError, ValueError) as error:
        raise EnvctlError(f"cannot make the disk of {image}: {error}") from error
    shutil.rmtree(output)
    _pack(raw, folder)


def from_root(root: Path, folder: Path) -> None:
    """Make a disk from an unpacked root filesystem in a folder. Removes the root filesystem."""
    (root / ".dockerenv").unlink(missing_ok=True)
    for name, mode in _EMPTIED:
        if (root / name).is_symlink():
            (root / name).unlink()
        shutil.rmtree(root / name, ignore_errors=True)
        (root / name).mkdir()
        (root / name).chmod(mode)
    raw = folder / "raw"
    features = "^has_journal,^metadata_csum"
    options = "lazy_itable_init=1,root_owner=0:0"
    run("mke2fs", "-q", "-t", "ext4", "-O", features, "-E", options, "-m", "0",
        "-L", "root", "-d", str(root), str(raw), SIZE)  # fmt: skip
    shutil.rmtree(root)
    _pack(raw, folder)


def from_machine(disk: Path, folder: Path) -> None:
    """Make a disk from the disk of a machine in a folder, without the data of deleted files."""
    raw = folder / "raw"
    # Give the format instead of detecting it: a machine could write a header to its disk that names a file of this
    # host.
    run("qemu-img", "convert", "-f", "qcow2", "-O", "raw", str(disk), str(raw))
    run("e2fsck", "-f", "-y", "-E", "discard", str(raw), fine=_MENDED)
    _pack(raw, folder)


def _pack(raw: Path, folder: Path) -> None:
    run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(raw), str(folder / FILE))
    raw.unlink()


def run(*argv: str, fine: int = 0) -> None:
    """Run a program. EnvctlError if it is missing, or if its exit code is above `fine`."""
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise EnvctlError(
            f"{argv[0]} is not installed",
            hint="`envctl doctor --backend vagrant` shows how to install it",
        ) from error
    if not 0 <= done.returncode <= fine:
        raise EnvctlError(
            f"{argv[0]} failed while making a box",
            details=(done.stdout + done.stderr).decode("utf-8", "replace"),
        )
