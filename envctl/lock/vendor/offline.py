"""up --frozen --offline: makes builds, bases and images from vendored files, without a network."""

from __future__ import annotations

import tempfile
from pathlib import Path

from envctl.backends.base import ImageEngine
from envctl.backends.common.build_inputs import BuildInputs
from envctl.errors import EnvctlError
from envctl.lock.model import Lock, Manifest
from envctl.lock.vendor.folder import FOLDER
from envctl.lock.vendor.pins import extra_build_key, vendored_debs, vendored_inputs
from envctl.lock.vendor.store import EXTRA, IMAGE, Store, VendoredFile, packages_text
from envctl.plan.model import Base, Build, DockerfileBuild
from envctl.progress import Progress, Report, Stage

_HINT = "run `envctl lock --vendor` on a machine with network access"


class OfflineBuilder:
    """Provides builds with their vendored files, and creates bases and images from them.

    EnvctlError without vendored files, or if the lock does not authenticate them: packages' scripts run as root.
    """

    def __init__(self, engine: ImageEngine, lock: Lock, root: Path, report: Report) -> None:
        self._engine = engine
        self._lock = lock
        self._report = report
        self._store = Store(root)
        if self._store.is_empty:
            raise EnvctlError(f"{FOLDER} has no files", hint=_HINT)
        self._store.require_digest(lock.vendor)

    def inputs(self, build: Build | DockerfileBuild, manifest: Manifest) -> BuildInputs:
        """The files of a locked build. EnvctlError if one is missing or has changed."""
        base = build.base.image if isinstance(build, Build) else ""
        locked = self._lock.bases.get(base)
        return vendored_inputs(manifest, self._store, but=locked.packages if locked else {})

    def extra_inputs(self, build: Build, below: Manifest) -> BuildInputs:
        """The files of a backend's extra build on an image with the packages `below`."""
        # A shared machine has the packages of all its units, but its additional build needs only those of one unit.
        parts = (
            locked.manifest
            for locked in self._lock.builds
            if locked.manifest.packages.items() <= below.packages.items()
        )
        extras = self._store.index.extras
        matches = (extras.get(extra_build_key(build, part)) for part in (below, *parts))
        packages = next((versions for versions in matches if versions is not None), None)
        if packages is None:
            raise EnvctlError(
                f"packages that machines need on {build.base.image} are not in {FOLDER}", hint=_HINT
            )
        return vendored_inputs(Manifest(packages), self._store, but={})

    def make_base(self, base: Base) -> None:
        """Bootstrap a base from its vendored packages, or restore its vendored image."""
        from envctl.bases.vendored_base import bootstrap_kept

        locked = self._lock.bases.get(base.image)
        sources = self._store.index.sources.get(base.image)
        if locked is None or sources is None:
            self.restore_image(base.image, locked.image if locked else EXTRA)
            return
        work = f"base {base.image}"
        self._report(Progress(work, Stage.STARTED))
        with tempfile.TemporaryDirectory(prefix="envctl-base-") as temporary:
            folder = Path(temporary)
            # mmdebstrap's helpers may run as another user.
            folder.chmod(0o755)
            debs = vendored_debs(self._store, locked.packages)
            for deb in debs:
                self._store.copy(deb, folder / deb.file)
            (folder / "Packages").write_text(packages_text(debs), "utf-8")
            bootstrap_kept(
                base,
                folder,
                packages=sorted(locked.packages),
                sources=sources,
                store=self._engine.images,
                report=self._report,
            )
        self._report(Progress(work, Stage.DONE, f"built from {FOLDER}"))

    def restore_image(self, name: str, version: str) -> None:
        """Load a vendored image into the engine. EnvctlError if it is not vendored."""
        file = self._image_file(name, version)
        if file is None:
            raise EnvctlError(f"image {name} is not in {FOLDER}", hint=_HINT)
        self._report(Progress(f"image {name}", Stage.STARTED))
        with tempfile.TemporaryDirectory(prefix="envctl-image-") as temporary:
            archive = self._store.copy(file, Path(temporary) / "image.tar")
            self._engine.images.restore(archive, name=name, identity=file.image)
        self._report(Progress(f"image {name}", Stage.DONE, f"loaded from {FOLDER}"))

    def is_vendored_as(self, name: str, version: str) -> bool:
        """Whether the engine's image of that name is the vendored image of that version."""
        file = self._image_file(name, version)
        return file is not None and file.image == self._engine.images.find(name)

    def has_base_image(self, name: str) -> bool:
        """Whether a base is vendored as an image, instead of as packages."""
        return name not in self._store.index.sources and self._image_file(name, "") is not None

    def _image_file(self, name: str, version: str) -> VendoredFile | None:
        """The file of an image; "" stands for any version."""
        images = (
            file
            for file in self._store.index.files.values()
            if (file.kind, file.name) == (IMAGE, name) and version in ("", file.version)
        )
        return next(images, None)
