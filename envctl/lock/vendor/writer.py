"""lock --vendor: stores the package files and images of a new lock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from envctl.backends.base import ImageEngine
from envctl.backends.common.build_inputs import ExtraBuild
from envctl.errors import EnvctlError
from envctl.lock.inspect import identity, inspect_image
from envctl.lock.lock_builder import LockBuilder
from envctl.lock.model import Lock, LockedBuild, beyond
from envctl.lock.requests import BuildRequest
from envctl.lock.vendor.fetch import Fetcher
from envctl.lock.vendor.folder import FOLDER
from envctl.lock.vendor.npm import steps_using_registry
from envctl.lock.vendor.pins import extra_build_key, npm_packages, wheel_versions
from envctl.lock.vendor.store import DEB, EXTRA, IMAGE, NPM, WHEEL, Store, VendoredFile
from envctl.plan.model import (
    Base,
    Build,
    DockerfileBuild,
    InstallPackages,
    PipInstall,
    ReadyImage,
    Source,
)
from envctl.plan.text import step_text
from envctl.progress import Progress, Stage


class VendorStoreWriter:
    """Stores the files of a newly created lock.

    EnvctlError if the store has files that the lock does not authenticate, because the new lock would do so.
    """

    def __init__(
        self, root: Path, lock: Lock, requests: Sequence[BuildRequest], builder: LockBuilder
    ) -> None:
        self._root = root
        self._builder = builder
        self._engine: ImageEngine = builder.engine
        self._lock = lock
        self._sources = {request.name: request.source for request in requests}
        self._bases = {
            source.base.image: source.base
            for source in self._sources.values()
            if isinstance(source, Build)
        }
        self._store = Store(root)
        self._store.require_digest(lock.vendor)
        self._fetcher = Fetcher(self._engine, self._store, builder.report)
        self._images: set[tuple[str, str]] = set()
        self._extra_keys: set[str] = set()
        self._knows_all_extras = True

    @property
    def digest(self) -> str:
        """One hash for all files in the store."""
        return self._store.digest

    def write(self, *, complete: bool) -> None:
        """Fetch all missing files into the store.

        `complete` means that the requests are those of all environments, so that unneeded files are removed.
        """
        self._builder.report(Progress("vendor", Stage.STARTED))
        try:
            for name in sorted({build.base for build in self._lock.builds if build.base}):
                self._keep_base(name)
            for build in self._lock.builds:
                self._keep_build(build)
            if complete:
                self._prune()
        finally:
            # Files fetched before a failure need not be fetched again.
            self._store.save()
        files = self._store.index.files.values()
        size = sum(file.size for file in files) / 1_000_000
        summary = f"{len(files)} files, {size:.0f} MB in {FOLDER}"
        self._builder.report(Progress("vendor", Stage.DONE, summary))

    # --- parts

    def _keep_base(self, name: str) -> None:
        from envctl.bases import is_made
        from envctl.bases.vendored_base import SOURCES

        info = self._engine.images.info(name)
        if info is None or name not in self._bases:
            # The base belongs to another environment, which this run does not lock.
            return
        if is_made(name, info):
            self._fetcher.fetch_debs(name, self._lock.bases[name].packages)
            text = self._engine.images.read_file(name, SOURCES).decode("utf-8", "replace")
            self._store.index.sources[name] = text
        else:
            self._store.index.sources.pop(name, None)
            self._keep_image(name, identity(self._engine, name))
        if "dpkg" in self._lock.bases[name].packages:
            # Provisioned machines start from the base.
            self._keep_extras(self._bases[name], f"base {name}")

    def _keep_image(self, name: str, version: str) -> None:
        self._fetcher.save_image(name, version)
        self._images.add((name, version))

    def _keep_build(self, build: LockedBuild) -> None:
        sources = [self._sources[unit] for unit in build.units if unit in self._sources]
        if not sources:
            return
        source = sources[0]
        name = self._engine.name_of(source)
        if isinstance(source, ReadyImage):
            self._keep_image(name, build.image)
        elif isinstance(source, DockerfileBuild):
            for dockerfile in sources:
                assert isinstance(dockerfile, DockerfileBuild)
                self._keep_image(self._engine.name_of(dockerfile), dockerfile.digest)
        else:
            base = self._lock.bases[build.base].packages
            self._fetcher.fetch_all(name, build.manifest, but=base)
            self._warn(source, build.units[0])
        if not isinstance(source, Build) or "dpkg" in build.manifest.packages:
            self._keep_extras(source, build.units[0])

    def _warn(self, source: Build, unit: str) -> None:
        for step in steps_using_registry(source, self._root):
            text = (
                f"{unit} cannot be built offline: `{step_text(step)}` ({step.where}) asks npm's registry, "
                "unless an earlier step copies a package-lock.json with `resolved` for every package"
            )
            self._builder.report(Progress("vendor", Stage.NOTE, text))
        for stage in source.stages:
            downloads = InstallPackages | PipInstall
            lost = [
                *(["base"] if stage.build.base.image not in self._bases else []),
                *(["packages"] if any(isinstance(s, downloads) for s in stage.build.steps) else []),
            ]
            if lost:
                text = (
                    f"{unit} cannot be built offline: {' and '.join(lost)} of its stage {stage.name}"
                    f" ({stage.build.where}) are in no image, so they are not kept"
                )
                self._builder.report(Progress("vendor", Stage.NOTE, text))

    def _keep_extras(self, source: Source | Base, unit: str) -> None:
        """Store what each backend builds for a source. If that fails, everything else is still stored."""
        for backend in self._builder.machine_backends:
            try:
                built: dict[str, Build] = {}
                for extra in backend.extra_builds(source):
                    self._keep_extra(extra, unit, built)
                    built[self._engine.name_of(extra.build)] = extra.build
            except EnvctlError as error:
                self._knows_all_extras = False
                text = f"packages that machines of {unit} need are not kept: {error.brief}"
                self._builder.report(Progress("vendor", Stage.NOTE, text))

    def _keep_extra(self, extra: ExtraBuild, unit: str, built: Mapping[str, Build]) -> None:
        """Store the packages of another backend's build. It is built here to find out which packages these are.

        `built` are earlier additional builds by image name, because this one may start from one of them.
        """
        start = extra.build.base.image
        if start in built:
            self._engine.have(f"{unit}, for machines", built[start])
        elif extra.build.base.name:
            self._ensure_base(extra.build.base)
            if start not in self._lock.bases:
                self._keep_image(start, EXTRA)
        below = inspect_image(self._engine, start).manifest
        key = extra_build_key(extra.build, below)
        self._extra_keys.add(key)
        extras = self._store.index.extras
        if key in extras and all(
            self._fetcher.is_kept(DEB, name, version) for name, version in extras[key].items()
        ):
            return
        image = self._engine.have(f"{unit}, for machines", extra.build)
        packages = inspect_image(self._engine, image).manifest.packages
        added = beyond(packages, below.packages)
        self._fetcher.fetch_debs(image, added)
        extras[key] = {**added, **self._fetcher.download_debs(image, extra.downloads)}

    def _ensure_base(self, base: Base) -> None:
        from envctl.bases import ensure

        ensure(base, self._engine.images, self._builder.report)

    # --- removing

    def _prune(self) -> None:
        """Remove unneeded files. Files for machines are removed only if all needs of machines are known."""
        index = self._store.index
        if self._knows_all_extras:
            index.extras = {
                key: versions for key, versions in index.extras.items() if key in self._extra_keys
            }
        needed = self._needed_packages()

        def is_needed(file: VendoredFile) -> bool:
            if file.kind == IMAGE:
                # An additional build that failed here may need the image of another base.
                return not self._knows_all_extras or (file.name, file.version) in self._images
            return (file.kind, file.name, file.version) in needed

        self._store.prune(is_needed)

    def _needed_packages(self) -> set[tuple[str, str, str]]:
        """Kind, name and version of every package that the lock or a machine needs."""
        needed = {
            (DEB, name, version)
            for versions in (
                *(base.packages for base in self._lock.bases.values()),
                *(build.manifest.packages for build in self._lock.builds),
                *self._store.index.extras.values(),
            )
            for name, version in versions.items()
        }
        for build in self._lock.builds:
            needed |= {
                (WHEEL, name, version)
                for versions in build.manifest.pip.values()
                for name, version in wheel_versions(versions).items()
            }
            needed |= {
                (NPM, name, integrity)
                for integrity, (name, _) in npm_packages(build.manifest).items()
            }
        return needed
