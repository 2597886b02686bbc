"""Boxes: what a build comes to, kept under the build's digest, so that a machine only has to boot."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import get_ident
from typing import Any, Final

from envctl.backends.base import Context, ImageSource
from envctl.backends.vagrant import boot
from envctl.backends.vagrant.names import cache, home
from envctl.backends.vagrant.quoting import FUNCTIONS
from envctl.backends.vagrant.runner import Vagrant
from envctl.errors import EnvctlError
from envctl.plan.digest import digest
from envctl.plan.model import Build
from envctl.plan.progress import Progress, Stage
from envctl.plan.text import steps_text

DISK_SIZE: Final = "20G"
"""How large a machine's root disk may grow."""
NOTE: Final = "envctl.json"
_EMPTIED: Final = (("dev", 0o755), ("proc", 0o555), ("sys", 0o555))


def kind() -> str:
    """What distinguishes boxes of this version's making: they are not taken for others'."""
    return (
        "image-"
        + digest([boot.machine_build("x").steps, boot.kernel_build(boot.KERNEL_BASE).steps])[:8]
    )


class Boxes:
    """Boxes made from the images of a container engine; equal builds share one, whatever their project."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._kind = kind()

    def name(self, build: Build) -> str:
        """The box of a build."""
        return f"envctl-{build.digest}-{self._kind}"

    def here(self) -> Mapping[str, str]:
        """The digests of the builds whose boxes are here, with their recorded steps."""
        found: dict[str, str] = {}
        for note in home().glob(f"boxes/envctl-*/0/libvirt/{NOTE}"):
            try:
                data = json.loads(note.read_text("utf-8"))
                if data["build"] and data["kind"] == self._kind:
                    found[data["build"]] = data["steps"]
            except (OSError, ValueError, KeyError):
                continue
        return found

    def is_here(self, name: str) -> bool:
        """Whether there is a box of that name, whole."""
        return (home() / "boxes" / name / "0" / "libvirt" / NOTE).is_file()

    def make(self, unit: str, build: Build) -> None:
        """Have the box of a build: its image, an init and an SSH server on top, as a disk."""
        engine = self._context.images()
        image = engine.have(unit, build)
        whole = engine.have(unit, boot.machine_build(image))
        with tempfile.TemporaryDirectory(prefix="envctl-box-") as name:
            root = Path(name, "root")
            root.mkdir()
            self._say(unit, "making the disk")
            engine.export(whole, root)
            note = {"build": build.digest, "steps": steps_text(build.steps)}
            self.bake(unit, self.name(build), root, note)

    def bake(self, unit: str, name: str, root: Path, note: Mapping[str, str]) -> None:
        """Add a root filesystem, unpacked in a folder, as the box of this name; the folder is used up.

        `note` is kept with it: `build`, the digest of what it is made for or "", and `steps`.
        """
        with tempfile.TemporaryDirectory(prefix="envctl-box-") as temporary:
            folder = Path(temporary)
            _disk(root, folder)
            self._add(unit, name, folder, note)

    # --- parts

    def _say(self, unit: str, text: str) -> None:
        self._context.report(Progress(f"build {unit}", Stage.WORKING, text))

    def _add(self, unit: str, name: str, folder: Path, note: Mapping[str, str]) -> None:
        """Add the disk in this folder as a box."""
        for file in self._kernel(unit, self._context.images()):
            shutil.copy(file, folder / file.name)
        self._write(folder, note)
        self._say(unit, "adding the box")
        files = sorted(path.name for path in folder.iterdir() if path.is_file())
        _run("tar", "-C", str(folder), "-cf", str(folder / "x.box"), *files)
        Vagrant(folder).add_box(name, folder / "x.box")

    def _kernel(self, unit: str, engine: ImageSource) -> tuple[Path, Path]:
        """The kernel and RAM disk as files, taken out of their image once."""
        build = boot.kernel_build(boot.KERNEL_BASE)
        folder = cache() / build.digest
        files = folder / "vmlinuz", folder / "initrd"
        if not all(file.exists() for file in files):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            image = engine.have(unit, build)
            for file, inside in zip(files, (boot.KERNEL, boot.INITRD), strict=True):
                fresh = file.with_suffix(f".{os.getpid()}.{get_ident()}")
                fresh.write_bytes(engine.images.read_file(image, inside))
                fresh.replace(file)
        return files

    def _write(self, folder: Path, note: Mapping[str, str]) -> None:
        size = DISK_SIZE.removesuffix("G")
        metadata = {"provider": "libvirt", "format": "qcow2", "virtual_size": int(size)}
        (folder / "metadata.json").write_text(json.dumps(metadata), "utf-8")
        (folder / NOTE).write_text(json.dumps({**note, "kind": self._kind}), "utf-8")
        render: Callable[[str, Mapping[str, Any]], str] = self._context.render
        text = render("vagrant/box.Vagrantfile.j2", FUNCTIONS)
        (folder / "Vagrantfile").write_text(text, "utf-8")


def _disk(root: Path, folder: Path) -> None:
    """A root filesystem as a disk, `box.img` in the folder: no mounts, no loop devices."""
    (root / ".dockerenv").unlink(missing_ok=True)
    for name, mode in _EMPTIED:
        shutil.rmtree(root / name, ignore_errors=True)
        (root / name).mkdir()
        (root / name).chmod(mode)
    raw = folder / "raw"
    features = "^has_journal,^metadata_csum"
    options = "lazy_itable_init=1,root_owner=0:0"
    _run("mke2fs", "-q", "-t", "ext4", "-O", features, "-E", options, "-m", "0",
         "-L", "root", "-d", str(root), str(raw), DISK_SIZE)  # fmt: skip
    shutil.rmtree(root)
    _run("qemu-img", "convert", "-O", "qcow2", str(raw), str(folder / "box.img"))
    raw.unlink()


def _run(*argv: str) -> None:
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise EnvctlError(
            f"{argv[0]} is not installed", hint="`envctl doctor --backend vagrant --fix`"
        ) from error
    if done.returncode:
        raise EnvctlError(
            f"{argv[0]} failed while a box was made", details=done.stderr.decode("utf-8", "replace")
        )
