"""Boxes: what a build comes to, kept under the build's digest, so that a machine only has to boot."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from functools import cached_property
from hashlib import file_digest, sha256
from pathlib import Path
from threading import get_ident
from typing import Final

from envctl.backends.base import Context
from envctl.backends.common import image_ids
from envctl.backends.common.build_inputs import ImageSource
from envctl.backends.vagrant import basebox, boot, boxfiles, disks, libvirt, pruning, runner
from envctl.backends.vagrant.boxfiles import NOTE
from envctl.backends.vagrant.build_dir import workshop
from envctl.backends.vagrant.names import cache
from envctl.backends.vagrant.quoting import FUNCTIONS
from envctl.backends.vagrant.runner import Vagrant
from envctl.errors import EnvctlError
from envctl.host.run_lock import exclusive
from envctl.plan.build_causes import build_text
from envctl.plan.digest import digest
from envctl.plan.model import Base, Build
from envctl.progress import Progress, Stage

_BOOT: Final = ("vmlinuz", "initrd")
"""The files of a box that start its machines."""
_IMAGE: Final = "image"
_PROVISION: Final = "provision"


def kind(recipe: str = "") -> str:
    """What distinguishes boxes of this version's making, and by these templates: they are not taken for others'."""
    own = [
        boot.machine_build("x", recipe=recipe).digest,
        boot.kernel_build(boot.KERNEL_BASE, recipe=recipe).digest,
    ]
    return digest(own)[:8]


class Boxes:
    """Boxes made with a container engine, or in a machine; equal builds share one, whatever their project."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.current: Mapping[str, str] = {}
        """By build, what its box has to be made of, where that matters: an image's content, or what is locked."""
        self._renewed: set[str] = set()
        """Boxes of bases that were made in this run."""

    @cached_property
    def _kind(self) -> str:
        return kind(self._context.recipe)

    def name(self, build: Build) -> str:
        """The box of a build."""
        return f"envctl-{build.digest}-{self._kind}"

    def look(self) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """The builds whose boxes are here, with their recorded steps; and what machines have to be made of, by build.

        That is what the box at hand is made of, or the one that will be.
        """
        here: dict[str, str] = {}
        wanted: dict[str, str] = {}
        for note in self._notes():
            build = note["build"]
            if self._is_outdated(note):
                wanted[build] = image_ids.last(build)
            else:
                here[build], wanted[build] = note["steps"], note.get("made_of", "")
        return here, {**wanted, **self.current}

    def made_of(self, name: str) -> str:
        """The content of the image that a box was made of, or what is locked that it was held to; else ""."""
        try:
            return str(
                json.loads((boxfiles.folder(name) / NOTE).read_text("utf-8")).get("made_of", "")
            )
        except (OSError, ValueError):
            return ""

    def volumes(self, name: str) -> tuple[str, ...] | None:
        """The paths that a box's image declares as volumes; None if it does not tell."""
        try:
            note = json.loads((boxfiles.folder(name) / NOTE).read_text("utf-8"))
            return tuple(map(str, json.loads(note["volumes"])))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def is_here(self, name: str) -> bool:
        """Whether a box of this name is at hand, of this version's making."""
        try:
            note = json.loads((boxfiles.folder(name) / NOTE).read_text("utf-8"))
            return bool(note["kind"] == self._kind)
        except (OSError, ValueError, KeyError):
            return False

    def is_current(self, build: Build) -> bool:
        """Whether the box of a build is at hand, and made of what it has to be made of."""
        name = self.name(build)
        made_of = self.made_of(name)
        return self.is_here(name) and self.current.get(build.digest, made_of) == made_of

    def _notes(self) -> Iterator[Mapping[str, str]]:
        """The notes of all boxes of builds, of this version's making."""
        for _, folder in boxfiles.find("envctl-*"):
            with suppress(OSError, ValueError, KeyError):
                note = json.loads((folder / NOTE).read_text("utf-8"))
                if note["kind"] == self._kind and note["build"] and "steps" in note:
                    yield note

    def _is_outdated(self, note: Mapping[str, str]) -> bool:
        """Whether a box is made of another thing than it has to be, or its image was made anew since.

        What was known of the image when the box was made is no news, whatever it was: another engine may have made it.
        """
        build, made_of = note["build"], note.get("made_of", "")
        if build in self.current:
            return made_of != self.current[build]
        return "known" in note and image_ids.last(build) not in ("", made_of, note["known"])

    def builds_in_vm(self, build: Build) -> bool:
        """Whether a build is done in a machine: where no engine is, or is wanted."""
        return build.how == _PROVISION or (build.how != _IMAGE and self.engine is None)

    def checksum(self, base: Base) -> str:
        """The checksum of the disk of a base's own box; "" if it is not here."""
        name = basebox.name(base, self._context.recipe)
        if not self.is_here(name):
            return ""
        with (boxfiles.folder(name) / disks.FILE).open("rb") as disk:
            return f"sha256:{file_digest(disk, 'sha256').hexdigest()}"

    # --- making

    def make(self, unit: str, build: Build) -> None:
        """Have the box of a build, made of its image or in a machine."""
        if self.builds_in_vm(build):
            from envctl.backends.vagrant.builder import Builder

            Builder(self._context, self).make(unit, build)
            return
        engine = self._context.images()
        self._context.have_base(build.base)
        known = image_ids.last(build.digest)
        image = engine.have(unit, build)
        made_of = engine.images.content(image)
        # By its id: under one name there may be another image by now.
        whole = engine.have(unit, boot.machine_build(image, recipe=self._context.recipe + made_of))
        with workshop() as folder:
            self._say(unit, "making the disk")
            disks.from_image(engine, whole, folder)
            declared = json.dumps(engine.images.volumes(image) or ())
            note = {**note_of(build, made_of), "known": known, "volumes": declared}
            self.add(unit, self.name(build), folder, note)

    def base(self, unit: str, base: Base, *, anew: bool = False) -> str:
        """The name of the box of a base alone, which is made if it is not here; `anew`, if not in this run."""
        name = basebox.name(base, self._context.recipe)
        with self._holding(name):
            if not self.is_here(name) or (anew and name not in self._renewed):
                with workshop() as folder:
                    basebox.disk(unit, base, self._context, engine=self.engine, folder=folder)
                    note = {"build": "", "steps": "[]"}
                    self.add(unit, name, folder, note, base=True)
                self._renewed.add(name)
        return name

    def add(
        self, unit: str, name: str, folder: Path, note: Mapping[str, str], *, base: bool = False
    ) -> None:
        """Add the disk in this folder as the box of this name.

        `note` is kept with it: `build`, the digest of what it is made for or "", its `steps`, `made_of`. A `base` is
        one that Vagrant alone can start, too.
        """
        for file in self._kernel(unit):
            shutil.copy(file, folder / file.name)
        size = int(disks.SIZE.removesuffix("G"))
        metadata = {"provider": "libvirt", "format": "qcow2", "virtual_size": size}
        (folder / "metadata.json").write_text(json.dumps(metadata), "utf-8")
        (folder / NOTE).write_text(json.dumps({**note, "kind": self._kind}), "utf-8")
        values = {**FUNCTIONS, "base": base}
        text = self._context.render("vagrant/box.Vagrantfile.j2", values)
        (folder / "Vagrantfile").write_text(text, "utf-8")
        self._say(unit, "adding the box")
        files = sorted(path.name for path in folder.iterdir() if path.is_file())
        disks.run("tar", "-C", str(folder), "-cf", str(folder / "x.box"), "--", *files)
        with suppress(OSError):
            # One of the same name is replaced.
            pruning.leave(boxfiles.in_pool(name))
        Vagrant(folder).add_box(name, folder / "x.box")
        boxfiles.leave_one(name)
        try:
            pruning.prune(self._context.report)
        except (EnvctlError, OSError) as error:
            # It is no reason to fail: this box is there.
            said = str(error).partition("\n")[0]
            text = f"not all that may go were removed: {said}"
            self._context.report(Progress("boxes", Stage.NOTE, text))

    def stock(self, name: str) -> None:
        """Have a box's disk, kernel and RAM disk whole in libvirt's pool, as what Vagrant looks for there.

        Vagrant uploads them at a box's first machine, takes what is there for whole, and knows nothing of
        another Vagrant that is just uploading it, or was killed while it did.
        Source: https://github.com/vagrant-libvirt/vagrant-libvirt/blob/0.11.2/lib/vagrant-libvirt/action/handle_box_image.rb
        """
        # Nobody makes it anew meanwhile.
        with self._holding(name):
            boxfiles.use(name)
            if not boxfiles.is_common(name) and runner.version() < boxfiles.BY_ARCHITECTURE:
                boxfiles.settle(name)
            self._stock(name, boxfiles.folder(name))

    # --- parts

    def _holding(self, name: str) -> AbstractContextManager[None]:
        """Have a box to oneself."""
        return exclusive(cache() / "locks", f"box-{name.replace('/', '-')}", self._context.report)

    def _stock(self, name: str, folder: Path) -> None:
        disk = folder / disks.FILE
        wanted = {boxfiles.in_pool(name): disk}
        for part in _BOOT:
            # As the box's own Vagrantfile calls them.
            digest_of = sha256((folder / part).read_bytes()).hexdigest()
            wanted[f"envctl-{part}-{digest_of[:16]}"] = folder / part
        for volume, file in wanted.items():
            capacity = disks.SIZE if file == disk else ""
            with exclusive(cache() / "locks", f"pool-{volume}", self._context.report):
                if libvirt.disk_size(volume) != file.stat().st_size:
                    libvirt.add_disk(volume, file, capacity=capacity)

    @cached_property
    def engine(self) -> ImageSource | None:
        """The container engine, if one answers."""
        try:
            engine = self._context.images()
            engine.check()
        except EnvctlError:
            return None
        return engine

    def _say(self, unit: str, text: str) -> None:
        self._context.report(Progress(f"build {unit}", Stage.WORKING, text))

    def _kernel(self, unit: str) -> tuple[Path, Path]:
        """The kernel and RAM disk as files, made once."""
        build = boot.kernel_build(boot.KERNEL_BASE, recipe=self._context.recipe)
        folder = cache() / build.digest
        files = folder / _BOOT[0], folder / _BOOT[1]
        with exclusive(cache() / "locks", "kernel", self._context.report):
            if not all(file.exists() for file in files):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                self._say(unit, "making the kernel and its RAM disk")
                for file, content in zip(files, self._made(unit, build), strict=True):
                    fresh = file.with_suffix(f".{os.getpid()}.{get_ident()}")
                    fresh.write_bytes(content)
                    fresh.replace(file)
        return files

    def _made(self, unit: str, build: Build) -> tuple[bytes, bytes]:
        if self.engine is not None:
            self._context.have_base(build.base)
            image = self.engine.have(unit, build)
            read = self.engine.images.read_file
            return read(image, boot.KERNEL), read(image, boot.INITRD)
        with workshop() as root:
            self._context.bootstrap(build, root)
            kernel, initrd = (
                (root / path.lstrip("/")).read_bytes() for path in (boot.KERNEL, boot.INITRD)
            )
        return kernel, initrd


def note_of(build: Build, made_of: str) -> Mapping[str, str]:
    """What is kept with the box of a build."""
    return {"build": build.digest, "steps": build_text(build), "made_of": made_of}
