"""Boxes for units that are container images: Debian with a Docker engine, and the image as a file."""

from __future__ import annotations

from typing import Final

from envctl.backends.base import Context, ImageSource
from envctl.backends.vagrant import boot, container, disks
from envctl.backends.vagrant.boxes import Boxes
from envctl.backends.vagrant.preload import preload
from envctl.backends.vagrant.workshop import workshop
from envctl.plan.digest import build_digest, digest
from envctl.plan.model import Build, DockerfileBuild, InstallPackages, ReadyImage, Source
from envctl.plan.progress import Progress, Stage

_ENGINE: Final = InstallPackages(("docker.io",))


class EngineBoxes:
    """Made with the container engine here, which has or makes the image."""

    def __init__(self, context: Context, boxes: Boxes) -> None:
        self._context = context
        self._boxes = boxes

    def have(self, unit: str, source: Source) -> str:
        """The name of the box of an image, which is made if it is not there."""
        engine = self._context.images()
        image = self._image(unit, source, engine)
        name = f"envctl-{self._identity(source, image, engine)}-engine-{self._kind()}"
        if not self._boxes.is_here(name):
            self._make(unit, name, source, image, engine)
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
        if engine.images.find(source.image) is None:
            engine.images.pull(source.image)
        return source.image

    def _identity(self, source: Source, image: str, engine: ImageSource) -> str:
        """A Dockerfile's digest, or one of what the name of a ready image means now."""
        if not isinstance(source, ReadyImage):
            return source.digest
        return digest(engine.images.find(image))

    def _make(self, unit: str, name: str, source: Source, image: str, engine: ImageSource) -> None:
        base = boot.KERNEL_BASE
        recipe = self._context.recipe
        own = Build(base, (_ENGINE,), build_digest(base, (_ENGINE,), recipe))
        self._context.have_base(base)
        whole = engine.have(unit, boot.machine_build(engine.have(unit, own), recipe=recipe))
        note = {"build": "" if isinstance(source, ReadyImage) else source.digest, "steps": "[]"}
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
