"""Boxes for units that are container images: Debian with a Docker engine, and the image as a file or loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from envctl.backends.base import Context, ImageEngine
from envctl.backends.common import image_ids
from envctl.backends.vagrant.box import boot, root_disk
from envctl.backends.vagrant.box.box_store import BoxStore
from envctl.backends.vagrant.box.build_dir import build_dir
from envctl.backends.vagrant.box.preload_image import preload
from envctl.backends.vagrant.unit import container
from envctl.plan.digest import build_digest, digest
from envctl.plan.model import Build, InstallPackages, ReadyImage, Source

_ENGINE: Final = InstallPackages(("docker.io",))


def engine_build(template_digest: str = "") -> Build:
    """The build of an image with a Docker engine, the basis of machines for container images."""
    base, steps = boot.KERNEL_BASE, (_ENGINE,)
    return Build(base, steps, build_digest(base, steps, template_digest))


class EngineBoxes:
    """Makes such boxes with this host's container engine, which has the image or builds it."""

    def __init__(self, context: Context, store: BoxStore) -> None:
        self._context = context
        self._store = store

    def ensure(self, unit: str, source: Source) -> str:
        """The name of an image's box. Makes it if it does not exist or contains an earlier image."""
        engine = self._context.images()
        build = "" if isinstance(source, ReadyImage) else source.digest
        known = image_ids.last(build) if build else ""
        image = self._image(unit, source, engine)
        image_id = engine.images.content(image)
        name = f"envctl-{build or digest(image_id)}-engine-{self._kind()}"
        if not self._store.has(name) or self._store.source_id(name) != image_id:
            volumes = json.dumps(engine.images.volumes(image) or ())
            note = {"build": build, "steps": "[]", "made_of": image_id, "known": known}
            self._make(unit, name, image, engine, {**note, "volumes": volumes})
        return name

    def _kind(self) -> str:
        """A digest of the way in which this version makes such boxes. Other boxes are not reused."""
        machine_digest = boot.machine_build(
            "x", template_digest=self._context.template_digest
        ).digest
        return digest(["preloaded", machine_digest, _ENGINE])[:8]

    def _image(self, unit: str, source: Source, engine: ImageEngine) -> str:
        if not isinstance(source, ReadyImage):
            return engine.have(unit, source)
        name = engine.name_of(source)
        if engine.images.at_hand(name) is None:
            engine.images.pull(name)
        return name

    def _make(
        self, unit: str, name: str, image: str, engine: ImageEngine, note: Mapping[str, str]
    ) -> None:
        template_digest = self._context.template_digest
        build = engine_build(template_digest)
        self._context.have_base(build.base)
        engine_image = engine.have(unit, build)
        machine_image = engine.have(
            unit, boot.machine_build(engine_image, template_digest=template_digest)
        )
        with build_dir() as folder:
            root = folder / "root"
            root.mkdir()
            self._store.say(unit, "making the disk")
            engine.export(machine_image, root)
            self._add_image(unit, image, engine, root)
            root_disk.from_root(root, folder)
            self._store.add(unit, name, folder, note)

    def _add_image(self, unit: str, image: str, engine: ImageEngine, root: Path) -> None:
        """Load an image into the engine of a root filesystem. If this host cannot do that, add it as a file."""
        file = root / container.IMAGE.lstrip("/")
        file.parent.mkdir(parents=True)
        engine.save(image, file)
        self._store.say(unit, "loading the image")
        if preload(file, container.NAME, root / "var/lib/docker"):
            file.unlink()
