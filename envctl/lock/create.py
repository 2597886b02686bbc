"""Creates a lock: builds what is missing, and reads the content of every image."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from envctl.backends.base import ImageEngine
from envctl.backends.common.build_inputs import BuildInputs
from envctl.errors import EnvctlError, UsageError
from envctl.lock.file import load_lock, save_lock
from envctl.lock.inspect import ImageContent, inspect_images
from envctl.lock.lock_builder import LockBuilder
from envctl.lock.lock_differences import LockDifference, lock_changes
from envctl.lock.messages import require_platform
from envctl.lock.model import Lock, LockedBase, LockedBuild
from envctl.lock.requests import BuildRequest
from envctl.lock.unmet_requirements import contradicted
from envctl.lock.vendor.folder import FOLDER
from envctl.lock.vendor.pins import pins
from envctl.lock.vendor.store import Store
from envctl.lock.vendor.writer import VendorStoreWriter
from envctl.plan.changes import Action, Change, because
from envctl.plan.model import Base, Build, ReadyImage
from envctl.plan.platforms import processor
from envctl.suggest import did_you_mean


def create_lock(
    root: Path,
    requests: Sequence[BuildRequest],
    builder: LockBuilder,
    *,
    environments: Collection[str],
    update: Sequence[str] | None = None,
    vendor: bool = False,
    complete: bool = False,
) -> tuple[Lock, tuple[LockDifference, ...]]:
    """Write the lock of some environments, or of the complete project. Returns the lock and the changes.

    With `update`, these services and bases, or all if it is empty, are rebuilt with the newest versions. With `vendor`,
    the package files are kept. EnvctlError if a build or image fails.
    """
    before = load_lock(root) or Lock()
    if vendor:
        _require_one_platform(root, requests, before)
    lock = LockCreator(requests, builder, before, update=update).create(environments)
    save_lock(lock, root)
    if vendor:
        _vendor(root, lock, requests, builder, complete=complete)
    return lock, lock_changes(before, lock)


def _vendor(
    root: Path,
    lock: Lock,
    requests: Sequence[BuildRequest],
    builder: LockBuilder,
    *,
    complete: bool,
) -> None:
    """Keep the package files of a new lock.

    The lock is written again even if that fails half-way, so that it covers all files kept so far.
    """
    writer = VendorStoreWriter(root, lock, requests, builder)
    try:
        writer.write(complete=complete)
    finally:
        save_lock(replace(lock, vendor=writer.digest), root)


def _require_one_platform(root: Path, requests: Sequence[BuildRequest], before: Lock) -> None:
    """EnvctlError for several platforms, because their packages have the same names and versions."""
    places = {request.source.platform: request.where for request in reversed(requests)}
    is_vendored = not Store(root).is_empty
    platforms = {*places, *(build.platform for build in before.builds if is_vendored)}
    if len(platforms) > 1:
        names = " and ".join(sorted(platform or "the engine's own" for platform in platforms))
        raise EnvctlError(
            f"packages can be kept for one platform only; requested: {names}",
            hint=f"leave out --vendor; or use one platform in the spec, remove {FOLDER}, and run "
            "`envctl lock --vendor` again",
            where=next((where for platform, where in places.items() if platform), None),
        )


class LockCreator:
    """Creates the lock of some environments with a container engine.

    `update` are services and bases to rebuild with the newest versions. Everything else keeps its image. New builds
    keep the versions in the lock `before` while they are available.
    """

    def __init__(
        self,
        requests: Sequence[BuildRequest],
        builder: LockBuilder,
        before: Lock,
        *,
        update: Sequence[str] | None = None,
    ) -> None:
        self._requests = requests
        self._builder = builder
        self._before = before
        self._update = update
        self._engine: ImageEngine = builder.engine
        self._require_known(update or ())

    def create(self, environments: Collection[str]) -> Lock:
        """Build missing images and read all images. Entries of other environments do not change."""
        self._engine.check()
        bases = {
            request.source.base for request in self._requests if isinstance(request.source, Build)
        }
        # Bases of stages are needed, but not part of any image.
        of_stages = {
            base
            for request in self._requests
            if isinstance(request.source, Build)
            for base in request.source.bases
        }
        for base in sorted(bases | of_stages, key=lambda base: base.image):
            self._ensure_base(base)
        self._build()
        images = inspect_images(self._engine, {self._image(request) for request in self._requests})
        base_images = inspect_images(self._engine, {base.image for base in bases})
        for request in self._requests:
            if request.source.platform:
                name = self._image(request)
                require_platform(request.source.platform, images[name].architecture, name)
        builds = _merge_equal([*_others(self._before, environments), *self._locked_builds(images)])
        used = {build.base for build in builds}
        earlier = {name: base for name, base in self._before.bases.items() if name in used}
        return Lock(
            self._architecture(bases, images, base_images),
            {**earlier, **self._locked_bases(bases, base_images)},
            builds,
            self._before.vendor,
        )

    def _image(self, request: BuildRequest) -> str:
        return self._engine.name_of(request.source)

    def _require_known(self, names: Sequence[str]) -> None:
        known = {request.service for request in self._requests} | {
            name
            for request in self._requests
            if isinstance(request.source, Build)
            for name in (request.source.base.image, request.source.base.name)
            if name
        }
        for name in names:
            if name not in known:
                raise UsageError(
                    f"no environment has a service or a base {name!r}",
                    hint=did_you_mean(name, known),
                )

    def _is_updated(self, *names: str) -> bool:
        if self._update is None:
            return False
        return not self._update or any(name in self._update for name in names)

    def _ensure_base(self, base: Base) -> None:
        from envctl.bases import ensure, renew

        action = renew if self._is_updated(base.image, base.name) else ensure
        action(base, self._engine.images, self._builder.report)

    # --- building

    def _build(self) -> None:
        """Build missing and updated images, and those whose base has changed."""
        changes: dict[str, Change] = {}
        inputs: dict[str, BuildInputs] = {}
        pinned: set[str] = set()
        for request in self._requests:
            source, name = request.source, self._image(request)
            base = (source.base.image, source.base.name) if isinstance(source, Build) else ()
            is_updated = self._is_updated(request.service, *base)
            if isinstance(source, ReadyImage):
                if is_updated or self._engine.images.at_hand(name) is None:
                    self._engine.images.pull(name)
            elif is_updated or self._engine.images.find(name) is None:
                cause = "update requested" if is_updated else "the image does not exist yet"
                changes.setdefault(
                    name, Change(Action.BUILD, request.name, because(cause, request.where), source)
                )
                locked = self._before.of(request.name)
                if is_updated or locked is None:
                    inputs[source.digest] = BuildInputs(fresh=is_updated)
                else:
                    outdated = contradicted(request.inputs, locked.manifest)
                    inputs[source.digest] = pins(locked.manifest, but=outdated)
                    pinned.add(request.service)
        with _hint_at_update(pinned):
            self._builder.build(
                tuple(changes.values()), lambda build: inputs.get(build.digest, BuildInputs())
            )

    # --- entries

    def _architecture(
        self,
        bases: Iterable[Base],
        images: Mapping[str, ImageContent],
        base_images: Mapping[str, ImageContent],
    ) -> str:
        """The common architecture of all images, except for services with a platform, whose entries name it."""
        contents = {**images, **base_images}
        without_platform = {
            self._image(request) for request in self._requests if not request.source.platform
        }
        without_platform |= {base.image for base in bases if not base.platform}
        architectures = {
            image.architecture for name, image in contents.items() if name in without_platform
        }
        architectures -= {""}
        if len(architectures) > 1:
            raise EnvctlError(
                f"the images have several architectures: {', '.join(sorted(architectures))}",
                hint="a lock is for one architecture: build all images on the same engine",
            )
        of_images = {image.architecture for image in contents.values()} - {""}
        platforms = {request.source.platform for request in self._requests} - {""}
        of_platforms = {processor(platform).architectures[0] for platform in platforms}
        others = (self._before.architecture, *sorted(of_images), *sorted(of_platforms))
        return next(filter(None, [*architectures, *others]), "")

    def _locked_bases(
        self, bases: Iterable[Base], images: Mapping[str, ImageContent]
    ) -> Mapping[str, LockedBase]:
        return {
            base.image: LockedBase(
                images[base.image].identity,
                images[base.image].manifest.packages,
                base.snapshot,
                self._box_checksum(base),
            )
            for base in bases
        }

    def _box_checksum(self, base: Base) -> str:
        checksums = (backend.box_checksum(base) for backend in self._builder.machine_backends)
        return next(filter(None, checksums), "")

    def _locked_builds(self, images: Mapping[str, ImageContent]) -> Iterator[LockedBuild]:
        for request in self._requests:
            image, source = images[self._image(request)], request.source
            yield LockedBuild(
                (request.name,),
                tuple(item.line for item in request.inputs),
                image.manifest,
                source.base.image if isinstance(source, Build) else "",
                image.identity if isinstance(source, ReadyImage) else "",
            )


@contextmanager
def _hint_at_update(pinned: Collection[str]) -> Iterator[None]:
    """Extend an error's hint with the command that releases services from locked versions."""
    try:
        yield
    except EnvctlError as error:
        if pinned:
            update = f"`envctl lock --update {' '.join(sorted(pinned))}` drops them"
            either = f"{error.hint}; or, " if error.hint else ""
            error.hint = f"{either}if the locked versions are the problem, {update}"
        raise


def _merge_equal(builds: Iterable[LockedBuild]) -> tuple[LockedBuild, ...]:
    """One entry for all units with equal inputs and equal contents."""
    groups: dict[tuple[object, ...], LockedBuild] = {}
    for build in builds:
        key = (build.inputs, build.manifest.digest, build.base, build.image)
        units = (*groups[key].units, *build.units) if key in groups else build.units
        groups[key] = replace(build, units=tuple(sorted(units)))
    return tuple(groups.values())


def _others(lock: Lock, environments: Collection[str]) -> Iterator[LockedBuild]:
    """The builds of other environments than these."""
    for build in lock.builds:
        units = tuple(unit for unit in build.units if unit.partition("/")[0] not in environments)
        if units:
            yield replace(build, units=units)
