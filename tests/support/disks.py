"""Disks of other kinds, really mounted: one that ignores case and keeps no permissions, and one that has links as well.

exFAT is what cards and sticks are formatted with, and behaves as a Mac's disk in what names are. The other one is the
folder as Windows' disks appear in WSL: what is asked of permissions and owners succeeds and changes nothing.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

PACKAGES: Final = {
    "mount.exfat-fuse": "exfat-fuse",
    "mkfs.exfat": "exfatprogs",
    "bindfs": "bindfs",
}
"""By the program that is needed, the package of Debian and Ubuntu that has it. `make test` installs them: .ci/test-packages."""
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@contextmanager
def exfat(*, umask: str = "000") -> Iterator[Path]:
    """An empty disk that takes capital for small letters, and has no links; all on it has one owner and one mode."""
    _insist()
    with tempfile.TemporaryDirectory(prefix="exfat-") as folder:
        image, mounted = Path(folder, "image"), Path(folder, "disk")
        mounted.mkdir()
        with image.open("wb") as file:
            file.truncate(64 << 20)
        _run("mkfs.exfat", image)
        device = _run("losetup", "--find", "--show", image).strip()
        try:
            _run("mount.exfat-fuse", "-o", f"noatime,umask={umask}", device, mounted)
            with _unmounting(mounted):
                yield mounted
        finally:
            _run("losetup", "--detach", device)


@contextmanager
def without_permissions(*, refused: bool = False) -> Iterator[Path]:
    """An empty folder in which everybody may do everything, whatever is asked for; it has links, and tells case.

    With `refused` to ask for other permissions is an error, as on vfat; else nothing comes of it.
    """
    _insist()
    with tempfile.TemporaryDirectory(prefix="bindfs-") as folder:
        source, mounted = Path(folder, "source"), Path(folder, "disk")
        source.mkdir()
        mounted.mkdir()
        how = "deny" if refused else "ignore"
        ignored = (f"--chmod-{how}", f"--chown-{how}", f"--chgrp-{how}")
        _run("bindfs", *ignored, "-p", "0777", "-u", "0", "-g", "0", source, mounted)
        with _unmounting(mounted):
            yield mounted


@contextmanager
def _unmounting(mounted: Path) -> Iterator[None]:
    try:
        yield
    finally:
        # A program that a failed test left there must not keep it for ever.
        _run("umount", "--lazy", mounted)


def _insist() -> None:
    lacking = [package for program, package in PACKAGES.items() if not _found(program)]
    if lacking:
        pytest.fail(
            f"the tests need {', '.join(lacking)}: run .ci/test-packages as root, or install them",
            pytrace=False,
        )
    if not Path("/dev/fuse").exists():
        pytest.fail("the tests need /dev/fuse: run `modprobe fuse` as root", pytrace=False)


def _found(program: str) -> str | None:
    return shutil.which(program, path=_PATH)


def _run(program: str, *arguments: object) -> str:
    argv = [_found(program) or program, *map(str, arguments)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(f"{' '.join(argv)}: {done.stderr or done.stdout}", pytrace=False)
    return done.stdout
