"""up --frozen: makes sure that images and provisioned boxes match the lock, or changes nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from envctl.backends.base import Backend, MachineBuilds
from envctl.backends.common.build_inputs import NO_BUILD_INPUTS, BuildInputs
from envctl.errors import EnvctlError
from envctl.lock.check import spec_differences
from envctl.lock.inspect import inspect_image
from envctl.lock.lock_builder import LockBuilder
from envctl.lock.lock_differences import LockDifference, package_differences
from envctl.lock.messages import listing, mismatch_error, require_architecture
from envctl.lock.model import FILE, Lock, LockedBuild, Manifest
from envctl.lock.requests import BuildRequest
from envctl.lock.vendor.offline import OfflineBuilder
from envctl.lock.vendor.pins import pins
from envctl.lock.vendor.store import EXTRA
from envctl.lock.vm_verifier import MachineVerifier
from envctl.plan.changes import Action, Change, because
from envctl.plan.model import (
    Base,
    Build,
    DockerfileBuild,
    InstallPackages,
    PipInstall,
    Plan,
    ReadyImage,
    Source,
)


class FrozenBuilds:
    """The builds of one environment, which must match the lock.

    `requests` are those of its images; `plan` is its plan on its backend, which may combine units into one build.
    With `offline`, builds use vendored files only.
    """

    def __init__(
        self,
        lock: Lock,
        requests: Sequence[BuildRequest],
        plan: Plan,
        builder: LockBuilder,
        *,
        offline: bool = False,
    ) -> None:
        self._lock = lock
        self._requests = {request.service: request for request in requests}
        self._plan = plan
        self._environment = plan.scope.environment
        self._builder = builder
        self._engine = builder.engine
        self._expected: dict[str, Manifest] = {}
        """The packages that each image must have, by image name."""
        self._rebuilt: set[str] = set()
        """Digests of builds that already have an image, so that the builder's cache would produce the same one."""
        self._provisioned: dict[str, Build] = {}
        """The builds that run in machines, by service."""
        self._offline: OfflineBuilder | None = None
        if offline:
            root = Path(plan.scope.root)
            self._offline = OfflineBuilder(self._engine, lock, root, builder.report)

    def require_same_spec(self, services: Collection[str]) -> None:
        """Raise EnvctlError, with all differences, unless the lock was created for the spec of these services."""
        requests = [self._requests[service] for service in self._sources(services)]
        differences = spec_differences(self._lock, requests)
        if differences:
            raise EnvctlError(
                f"{FILE} was made for an earlier spec of {self._environment}",
                details=listing(differences),
                hint="`envctl lock` updates it and shows what changes",
            )

    def prepare(self, services: Collection[str], backend: Backend) -> bool:
        """Make the sources of these services match the lock. Returns whether that may change the plan's changes.

        `backend` is the backend that runs them; its additional builds get `build_inputs`.

        EnvctlError, with all differences, if a source does not match. Nothing else has changed by then.
        """
        sources = self._sources(services)
        machines = backend if isinstance(backend, MachineBuilds) else None
        for service, source in sources.items():
            manifest = self._locked(service).manifest
            name = self._engine.name_of(source)
            earlier = self._expected.get(name)
            self._expected[name] = _union(earlier, manifest) if earlier else manifest
            if isinstance(source, Build) and machines and machines.builds_in_vm(source):
                self._provisioned[service] = source
        if self._provisioned and self._offline:
            self._require_engine()
        images = {
            service: source
            for service, source in sources.items()
            if service not in self._provisioned
        }
        # Without images, no engine is needed.
        built = bool(images) and self._ensure_images(images)
        if machines:
            machines.pin_images({**self._contents(images), **self._manifest_digests()})
        provisioned = bool(self._provisioned) and self._provision(backend)
        return built or machines is not None or provisioned

    def _sources(self, services: Collection[str]) -> Mapping[str, Source]:
        """The sources of these services, and of services that the backend combines with them into one build."""
        name = self._engine.name_of
        sources = {unit.service: unit.source for unit in self._plan.units}
        needed = {name(sources[service]) for service in services}
        return {
            service: source
            for service, source in sources.items()
            if service in services
            or (name(source) in needed and name(source) != name(self._requests[service].source))
        }

    def _locked(self, service: str) -> LockedBuild:
        locked = self._lock.of(f"{self._environment}/{service}")
        assert locked is not None  # require_same_spec was called
        return locked

    # --- images

    def _ensure_images(self, sources: Mapping[str, Source]) -> bool:
        """Make all images match. Returns whether any was built."""
        self._engine.check()
        by_image: dict[str, dict[str, Source]] = {}
        for service, source in sources.items():
            by_image.setdefault(self._engine.name_of(source), {})[service] = source
        wrong = {name: users for name, users in by_image.items() if not self._matches(name, users)}
        builds = {
            name: next(iter(users.items()))
            for name, users in wrong.items()
            if not isinstance(next(iter(users.values())), ReadyImage)
        }
        if builds:
            self._build_images(builds)
        differences = [
            difference
            for name, users in sorted(wrong.items())
            for difference in self._differences(name, users)
        ]
        if differences:
            raise mismatch_error(self._environment, differences)
        return bool(builds)

    def _contents(self, sources: Mapping[str, Source]) -> Mapping[str, str]:
        """By build digest, or image name, a digest of the image's content."""
        return {
            source.image
            if isinstance(source, ReadyImage)
            else source.digest: self._engine.images.content(self._engine.name_of(source))
            for source in sources.values()
        }

    def _matches(self, name: str, users: Mapping[str, Source]) -> bool:
        """Whether an image matches the lock, after pulling or restoring it if necessary. `users` are its services."""
        exists = self._engine.images.at_hand(name) is not None
        if not exists or (self._offline and any(self._differences(name, users))):
            service, source = next(iter(users.items()))
            exists = self._fetch_image(name, source, self._locked(service))
        return exists and not any(self._differences(name, users))

    def _fetch_image(self, name: str, source: Source, locked: LockedBuild) -> bool:
        """Pull or restore an image that is not built here. Returns whether it exists then."""
        if isinstance(source, Build):
            return self._engine.images.find(name) is not None
        if self._offline is not None:
            version = locked.image if isinstance(source, ReadyImage) else source.digest
            self._offline.restore_image(name, version)
            return True
        if isinstance(source, ReadyImage):
            self._engine.images.pull(name)
            return True
        return False

    def _differences(self, name: str, users: Mapping[str, Source]) -> Iterator[LockDifference]:
        image = inspect_image(self._engine, name)
        units = [f"{self._environment}/{service}" for service in users]
        service, source = next(iter(users.items()))
        require_architecture(self._lock, image.architecture, name, platform=source.platform)
        locked = self._locked(service).image
        if locked and not self._is_image(name, locked, image.identity):
            yield LockDifference("image", "image", locked, image.identity, tuple(units))
        yield from package_differences(self._expected[name], image.manifest, units)

    def _build_images(self, builds: Mapping[str, tuple[str, Source]]) -> None:
        changes = []
        for name, (service, source) in builds.items():
            assert isinstance(source, Build | DockerfileBuild)
            if isinstance(source, Build):
                for base in source.bases:
                    self.ensure_base(base)
            # Report missing files before the first build starts.
            self.build_inputs(source)
            if self._engine.images.find(name) is not None:
                self._rebuilt.add(source.digest)
            changes.append(_build_change(service, source))
        self._builder.build(changes, self.build_inputs)

    # --- builds in machines

    def _require_engine(self) -> None:
        try:
            self._engine.check()
        except EnvctlError as error:
            raise EnvctlError(
                "machines cannot be provisioned offline without a container engine",
                details=str(error),
                hint="the engine builds the box they start from out of vendored files: start it, or leave out --offline",
            ) from error

    def _manifest_digests(self) -> Mapping[str, str]:
        """By build digest, the digest of the locked manifest."""
        return {
            build.digest: self._expected[self._engine.name_of(build)].digest
            for build in self._provisioned.values()
        }

    def _provision(self, backend: Backend) -> bool:
        """Make all builds in machines match. Returns whether any was made."""
        existing = backend.observe(self._plan).images
        changes = {
            build.digest: _build_change(service, build)
            for service, build in self._provisioned.items()
            if build.digest not in existing
        }
        for build in self._provisioned.values():
            if build.digest in changes:
                # Report missing files before the first build starts.
                self.build_inputs(build)
        self._builder.build([*changes.values()], self.build_inputs, backend=backend)
        return bool(changes)

    # --- inputs of builds

    def ensure_base(self, base: Base) -> None:
        """Make a base available that matches the lock. EnvctlError, with all differences, if that fails."""
        from envctl.bases import ensure

        if self._offline is None:
            ensure(base, self._engine.images, self._builder.report)
        elif self._engine.images.find(base.image) is None or self._base_differences(base):
            self._offline.make_base(base)
        differences = self._base_differences(base)
        if differences:
            raise mismatch_error(self._environment, differences)

    def _base_differences(self, base: Base) -> tuple[LockDifference, ...]:
        locked = self._lock.bases.get(base.image)
        is_image = self._offline is not None and self._offline.has_base_image(base.image)
        if locked is None and not is_image:
            return ()
        image, units = inspect_image(self._engine, base.image), (f"base {base.image}",)
        differences: tuple[LockDifference, ...] = ()
        if locked:
            differences = package_differences(locked.manifest, image.manifest, units)
        identity = locked.image if locked else EXTRA
        if is_image and not self._is_image(base.image, identity, image.identity):
            return (LockDifference("image", "image", identity, image.identity, units), *differences)
        return differences

    def _is_image(self, name: str, locked: str, identity: str) -> bool:
        """Whether an image is the locked one. An engine knows no registry digest of an image loaded from a file."""
        offline = self._offline
        return locked == identity or (offline is not None and offline.is_vendored_as(name, locked))

    def build_inputs(self, build: Build | DockerfileBuild) -> BuildInputs:
        """The inputs of a build: pinned versions, or vendored files. EnvctlError if a file is missing."""
        expected = self._expected.get(self._engine.name_of(build))
        if expected is not None:
            if self._offline and isinstance(build, Build):
                _require_packages_of_stages(build, expected)
            inputs = self._offline.inputs(build, expected) if self._offline else pins(expected)
            return replace(
                inputs,
                fresh=build.digest in self._rebuilt,
                verifier=self._verifier(build, expected),
            )
        if self._offline is None or not isinstance(build, Build):
            return NO_BUILD_INPUTS
        # A backend's additional build, next to a locked build or on top of one.
        below = inspect_image(self._engine, build.base.image).manifest
        return self._offline.extra_inputs(build, below)

    def _verifier(
        self, build: Build | DockerfileBuild, expected: Manifest
    ) -> MachineVerifier | None:
        """The verifier of a build that runs in a machine."""
        units = tuple(
            f"{self._environment}/{service}"
            for service, provisioned in self._provisioned.items()
            if provisioned.digest == build.digest
        )
        if not units or not isinstance(build, Build):
            return None
        return MachineVerifier(self._environment, self._lock, units, build.base.image, expected)


def _require_packages_of_stages(build: Build, manifest: Manifest) -> None:
    """EnvctlError if a stage installs packages that are not those of a manifest: only these are vendored."""
    for stage in build.stages:
        for step in stage.build.steps:
            names = step.names if isinstance(step, InstallPackages) else ()
            missing = [name for name in names if name.partition("=")[0] not in manifest.packages]
            if isinstance(step, PipInstall):
                missing = [*step.packages, *([step.requirements] if step.requirements else [])]
            if missing:
                raise EnvctlError(
                    f"the stage {stage.name} cannot be built offline: {', '.join(missing)} would have to be downloaded",
                    hint="packages of a stage are in no image, so they are not vendored: build the image without --offline first",
                    where=step.where or stage.build.where,
                )


def _build_change(service: str, source: Build | DockerfileBuild) -> Change:
    return Change(Action.BUILD, service, because("it has to match the lock"), source)


def _union(first: Manifest, second: Manifest) -> Manifest:
    """The contents of a build that combines both, for units that share a machine."""
    return Manifest(
        {**first.packages, **second.packages},
        {**first.pip, **second.pip},
        {**first.npm, **second.npm},
    )
