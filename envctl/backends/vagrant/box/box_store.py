"""The boxes on this host: which exist, what each was built from, and how to add one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from envctl.backends.base import Context, ImageEngine
from envctl.backends.common import image_ids
from envctl.backends.vagrant import libvirt
from envctl.backends.vagrant.box import boot, box_files, kernel_files, prune_boxes, root_disk
from envctl.backends.vagrant.box.box_files import NOTE
from envctl.backends.vagrant.names import cache_folder
from envctl.backends.vagrant.quoting import FUNCTIONS
from envctl.backends.vagrant.vagrant_cli import Vagrant
from envctl.errors import EnvctlError
from envctl.host.run_lock import exclusive
from envctl.plan.build_causes import build_text
from envctl.plan.digest import digest
from envctl.plan.model import Build
from envctl.progress import Progress, Stage


def kind(template_digest: str = "") -> str:
    """A digest of the way in which this version, with these templates, makes boxes. Other boxes are not reused."""
    builds = [
        boot.machine_build("x", template_digest=template_digest).digest,
        boot.kernel_build(boot.KERNEL_BASE, template_digest=template_digest).digest,
    ]
    return digest(builds)[:8]


def build_note(build: Build, source_id: str) -> Mapping[str, str]:
    """The record that the box of a build contains."""
    return {"build": build.digest, "steps": build_text(build), "made_of": source_id}


class BoxStore:
    """The boxes of one user. Projects with equal builds share a box."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.pinned: Mapping[str, str] = {}
        """By build, the source id that its box must have: an image's id, or the digest of the locked manifest."""

    @cached_property
    def engine(self) -> ImageEngine | None:
        """The container engine, if one answers."""
        try:
            engine = self._context.images()
            engine.check()
        except EnvctlError:
            return None
        return engine

    @cached_property
    def _kind(self) -> str:
        return kind(self._context.template_digest)

    # --- existing boxes

    def name(self, build: Build) -> str:
        """The name of a build's box."""
        return f"envctl-{build.digest}-{self._kind}"

    def has(self, name: str) -> bool:
        """Whether a box of this name exists and was made by this version of envctl."""
        return self._note(name).get("kind") == self._kind

    def is_current(self, build: Build) -> bool:
        """Whether the box of a build exists and has the required source."""
        name = self.name(build)
        source_id = self.source_id(name)
        return self.has(name) and self.pinned.get(build.digest, source_id) == source_id

    def source_id(self, name: str) -> str:
        """The source of a box: an image's id, or the digest of the locked manifest; "" if not recorded."""
        return str(self._note(name).get("made_of", ""))

    def volumes(self, name: str) -> tuple[str, ...] | None:
        """The paths that the image of a box declares as volumes; None if they are not recorded."""
        try:
            return tuple(map(str, json.loads(self._note(name)["volumes"])))
        except (ValueError, KeyError, TypeError):
            return None

    def available(self) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """By build, the recorded steps of each usable box, and the source id that machines must have.

        That is the source id of the existing box, or of the one that will be made.
        """
        steps: dict[str, str] = {}
        source_ids: dict[str, str] = {}
        for note in self._build_notes():
            build = note["build"]
            if self._is_outdated(note):
                source_ids[build] = image_ids.last(build)
            else:
                steps[build], source_ids[build] = note["steps"], note.get("made_of", "")
        return steps, {**source_ids, **self.pinned}

    def _note(self, name: str) -> Mapping[str, Any]:
        """The record in a box; {} if the box does not exist or its record is not readable."""
        with suppress(OSError, ValueError):
            note = json.loads((box_files.box_folder(name) / NOTE).read_text("utf-8"))
            return note if isinstance(note, dict) else {}
        return {}

    def _build_notes(self) -> Iterator[Mapping[str, str]]:
        """The records of all boxes that this version made for builds."""
        for _, folder in box_files.find("envctl-*"):
            with suppress(OSError, ValueError, KeyError):
                note = json.loads((folder / NOTE).read_text("utf-8"))
                if note["kind"] == self._kind and note["build"] and "steps" in note:
                    yield note

    def _is_outdated(self, note: Mapping[str, str]) -> bool:
        """Whether a box must be made again: it is pinned to another source id, or its image was rebuilt since.

        An image id that was already known when the box was made does not count: another engine may have built that
        image.
        """
        build, source_id = note["build"], note.get("made_of", "")
        if build in self.pinned:
            return source_id != self.pinned[build]
        return "known" in note and image_ids.last(build) not in ("", source_id, note["known"])

    # --- adding

    def locked(self, name: str) -> AbstractContextManager[None]:
        """Keep other runs of envctl from changing a box."""
        return exclusive(
            cache_folder() / "locks", f"box-{name.replace('/', '-')}", self._context.report
        )

    def add(
        self, unit: str, name: str, folder: Path, note: Mapping[str, str], *, base: bool = False
    ) -> None:
        """Add the disk in a folder as the box of this name, replacing an earlier one.

        `note` is its record: `build` (the digest of its build, or ""), `steps` and `made_of`. With `base`, Vagrant can
        start the box without envctl.
        """
        self._complete(unit, folder, note, base=base)
        self.say(unit, "adding the box")
        files = sorted(path.name for path in folder.iterdir() if path.is_file())
        root_disk.run("tar", "-C", str(folder), "-cf", str(folder / "x.box"), "--", *files)
        with suppress(OSError):
            # The disk of an earlier box of this name stays in libvirt's pool while machines need it.
            prune_boxes.release(box_files.pool_disk_name(name))
        Vagrant(folder).add_box(name, folder / "x.box")
        box_files.unify(name)
        self._prune()

    def _complete(self, unit: str, folder: Path, note: Mapping[str, str], *, base: bool) -> None:
        """Add the other files of a box to the folder of its disk."""
        for file in kernel_files.kernel_files(unit, self._context, self.engine):
            shutil.copy(file, folder / file.name)
        size = int(root_disk.SIZE.removesuffix("G"))
        metadata = {"provider": "libvirt", "format": "qcow2", "virtual_size": size}
        (folder / "metadata.json").write_text(json.dumps(metadata), "utf-8")
        (folder / NOTE).write_text(json.dumps({**note, "kind": self._kind}), "utf-8")
        values = {**FUNCTIONS, "base": base}
        text = self._context.render("vagrant/box.Vagrantfile.j2", values)
        (folder / "Vagrantfile").write_text(text, "utf-8")

    def _prune(self) -> None:
        try:
            prune_boxes.prune(self._context.report)
        except (EnvctlError, OSError) as error:
            # The new box exists, so a failure to remove old ones is not an error.
            reason = str(error).partition("\n")[0]
            text = f"could not remove all unused boxes: {reason}"
            self._context.report(Progress("boxes", Stage.NOTE, text))

    def stock(self, name: str) -> None:
        """Put the disk, kernel and RAM disk of a box into libvirt's pool, where Vagrant looks for them.

        Vagrant would upload them for the first machine of a box. But it mistakes a half-uploaded disk for a complete
        one, and does not notice that another Vagrant is still uploading it, or was killed in between.
        Source: https://github.com/vagrant-libvirt/vagrant-libvirt/blob/0.11.2/lib/vagrant-libvirt/action/handle_box_image.rb
        """
        # The lock keeps other runs from replacing the box meanwhile.
        with self.locked(name):
            box_files.mark_used(name)
            box_files.unify(name)
            self._upload(name, box_files.box_folder(name))

    def _upload(self, name: str, folder: Path) -> None:
        disk = folder / root_disk.FILE
        files = {box_files.pool_disk_name(name): disk}
        for file in kernel_files.FILES:
            # box.Vagrantfile.j2 uses the same name.
            content_digest = sha256((folder / file).read_bytes()).hexdigest()
            files[f"envctl-{file}-{content_digest[:16]}"] = folder / file
        for volume, path in files.items():
            capacity = root_disk.SIZE if path == disk else ""
            with exclusive(cache_folder() / "locks", f"pool-{volume}", self._context.report):
                if libvirt.disk_size(volume) != path.stat().st_size:
                    libvirt.add_disk(volume, path, capacity=capacity)

    def say(self, unit: str, text: str) -> None:
        """Report the progress of a box for a unit."""
        self._context.report(Progress(f"build {unit}", Stage.WORKING, text))
