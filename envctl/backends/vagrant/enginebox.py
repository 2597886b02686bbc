"""Boxes for units that are container images: Debian with a Docker engine, and the image as a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from envctl.backends.base import Context
from envctl.backends.common import image_ids
from envctl.backends.common.build_inputs import ImageSource
from envctl.backends.vagrant import boot, container, disks
from envctl.backends.vagrant.boxes import Boxes
from envctl.backends.vagrant.build_dir import workshop
from envctl.backends.vagrant.preload import preload
from envctl.plan.digest import build_digest, digest
from envctl.plan.model import Build, DockerfileBuild, InstallPackages, ReadyImage, Source
from envctl.progress import Progress, Stage

_ENGINE: Final = InstallPackages(("docker.io",))


def engine_build(recipe: str = "") -> Build:
    """An image with a Docker engine, of which machines for other images are made."""
    base, steps = boot.KERNEL_BASE, (_ENGINE,)
    return Build(base, steps, build_digest(base, steps, recipe))


class EngineBoxes:
    """Made with the container engine here, which has or makes the image."""

    def __init__(self, context: Context, boxes: Boxes) -> None:
        self._context = context
        self._boxes = boxes

    def have(self, unit: str, source: Source) -> str:
        """The name of the box of an image, which is made if it is not there, or is of an earlier image."""
        engine = self._context.images()
        build = "" if isinstance(source, ReadyImage) else source.digest
        known = image_ids.last(build) if build else ""
        image = self._image(unit, source, engine)
        made_of = engine.images.content(image)
        name = f"envctl-{build or digest(made_of)}-engine-{self._kind()}"
        if not self._boxes.is_here(name) or self._boxes.made_of(name) != made_of:
            declared = json.dumps(engine.images.volumes(image) or ())
            note = {"build": build, "steps": "[]", "made_of": made_of, "known": known}
            note["volumes"] = declared
            self._make(unit, name, image, engine, note)
        return name

    def make(self, unit: str, build: DockerfileBuild) -> None:
        """Have the box of a project's own Dockerfile."""
        self.have(unit, build)

    # --- parts

    def _kind(self) -> str:
        made_by = boot.machine_build("x", recipe=self._context.recipe).digest
        return digest(["preloaded", made_by, _ENGINE])[:8]

    def _image(self, unit: str, source: Source, engine: ImageSource) -> str:
        if not isinstance(source, ReadyImage):
            return engine.have(unit, source)
        name = engine.name_of(source)
        if engine.images.at_hand(name) is None:
            engine.images.pull(name)
        return name

    def _make(
        self, unit: str, name: str, image: str, engine: ImageSource, note: Mapping[str, str]
    ) -> None:
        recipe = self._context.recipe
        own = engine_build(recipe)
        self._context.have_base(own.base)
        whole = engine.have(unit, boot.machine_build(engine.have(unit, own), recipe=recipe))
        with workshop() as folder:
            root = folder / "root"
            root.mkdir()
            self._context.report(Progress(f"build {unit}", Stage.WORKING, "making the disk"))
            engine.export(whole, root)
            target = root / container.IMAGE.lstrip("/")
            target.parent.mkdir(parents=True)
            engine.save(image, target)
            self._context.report(Progress(f"build {unit}", Stage.WORKING, "loading the image"))
            if preload(target, container.NAME, root / "var/lib/docker"):
                target.unlink()
            disks.from_root(root, folder)
            self._boxes.add(unit, name, folder, note)
