"""Locks kept to: images, and boxes made without them, that come out as they are locked, or nothing is done."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from envctl.backends.base import Backend, ImageEngine, MachineBuilds
from envctl.backends.common.build_inputs import NO_BUILD_INPUTS, BuildInputs
from envctl.errors import EnvctlError
from envctl.lock.check import spec_differences
from envctl.lock.inspect import look
from envctl.lock.lock_differences import Difference, differences
from envctl.lock.messages import insist_on_architecture, listed, refusal
from envctl.lock.model import FILE, Lock, LockedBuild, Manifest
from envctl.lock.offline import Kitchen
from envctl.lock.pins import pins
from envctl.lock.requests import asked
from envctl.lock.vendor import BESIDE
from envctl.lock.vm_verifier import Inspection
from envctl.plan.changes import Action, Change, because
from envctl.plan.model import Base, Build, DockerfileBuild, ReadyImage, Source
from envctl.session import Session


class Frozen:
    """One target whose builds have to come out as they are locked.

    `plain` is the same environment as an engine's: a backend may pack the units of its own plan together.
    """

    def __init__(
        self, session: Session, plain: Session, lock: Lock, *, offline: bool = False
    ) -> None:
        self.session = session
        self.lock = lock
        self.environment = session.target.environment
        self.asked = {one.service: one for one in asked([plain])}
        self.expected: dict[str, Manifest] = {}
        self._fresh: set[str] = set()
        self._provisioned: dict[str, Build] = {}
        root = Path(plain.plan.scope.root)
        self._kitchen = Kitchen(self.engine, lock, root, session.report) if offline else None
        session.build_inputs = self._build_inputs
        session.have_base = self.have_base

    @property
    def engine(self) -> ImageEngine:
        """The engine with the images."""
        return self.session.engine

    def insist(self, services: Collection[str]) -> None:
        """Raise EnvctlError, naming what differs, unless the lock was made for what the spec asks of these services."""
        wanted = self._sources(services)
        found = spec_differences(self.lock, [self.asked[name] for name in wanted])
        if found:
            raise EnvctlError(
                f"{FILE} was not made for the spec of {self.environment} as it is now",
                details=listed(found),
                hint="`envctl lock` brings it up to date and says what moves",
            )

    def prepare(self, services: Collection[str]) -> bool:
        """Have what these services are made from as it is locked; whether that may change what has to be done.

        EnvctlError, naming the packages, if something comes out otherwise; nothing else has been done by then.
        """
        sources = self._sources(services)
        for service, source in sources.items():
            known = self.lock.of(f"{self.environment}/{service}")
            assert known is not None
            name = self.engine.name_of(source)
            earlier = self.expected.get(name)
            self.expected[name] = _both(earlier, known.manifest) if earlier else known.manifest
            if isinstance(source, Build) and self._is_built_in_vm(source):
                self._provisioned[service] = source
        if self._provisioned and self._kitchen:
            self._insist_on_engine()
        images = {key: one for key, one in sources.items() if key not in self._provisioned}
        # Without an image there need not be an engine.
        made = bool(images) and self._have_images(images)
        backend = self.session.backend
        held = isinstance(backend, MachineBuilds)
        if isinstance(backend, MachineBuilds):
            backend.pin_images({**self._contents(images), **self._hashes()})
        provisioned = bool(self._provisioned) and self._provision()
        return made or held or provisioned

    def _is_built_in_vm(self, build: Build) -> bool:
        backend = self.session.backend
        return isinstance(backend, MachineBuilds) and backend.builds_in_vm(build)

    def _sources(self, services: Collection[str]) -> Mapping[str, Source]:
        """What services are made from, and with them those that a backend packs into one build with them."""
        name = self.engine.name_of
        found = {unit.service: unit.source for unit in self.session.plan.units}
        wanted = {name(found[service]) for service in services}
        return {
            service: source
            for service, source in found.items()
            if service in services
            or (name(source) in wanted and name(source) != name(self.asked[service].source))
        }

    # --- images

    def _have_images(self, sources: Mapping[str, Source]) -> bool:
        """Have images as they are locked; whether any was made."""
        self.engine.check()
        names = {self.engine.name_of(source) for source in sources.values()}
        wrong = {name for name in names if self._differs(sources, name)}
        builds = {
            self.engine.name_of(source): (service, source)
            for service, source in sources.items()
            if not isinstance(source, ReadyImage) and self.engine.name_of(source) in wrong
        }
        if builds:
            self._make(builds)
        found = [one for name in sorted(wrong) for one in self._differences(sources, name)]
        if found:
            raise refusal(self.environment, found)
        return bool(builds)

    def _contents(self, sources: Mapping[str, Source]) -> Mapping[str, str]:
        """What is in the images, by build, or by name."""
        return {
            source.image
            if isinstance(source, ReadyImage)
            else source.digest: self.engine.images.content(self.engine.name_of(source))
            for source in sources.values()
        }

    def _differs(self, sources: Mapping[str, Source], name: str) -> bool:
        there = self.engine.images.at_hand(name) is not None
        if not there or (self._kitchen and any(self._differences(sources, name))):
            (source, *_) = self._of(sources, name).values()
            there = self._is_had(name, source, self.lock.of(self._units(sources, name)[0]))
        return not there or any(self._differences(sources, name))

    def _is_had(self, name: str, source: Source, known: LockedBuild | None) -> bool:
        """Have an image that is not built here; whether it could be."""
        if isinstance(source, Build):
            return self.engine.images.find(name) is not None
        if self._kitchen is not None:
            what = (
                source.digest
                if isinstance(source, DockerfileBuild)
                else known.image
                if known
                else ""
            )
            self._kitchen.image(name, what)
            return True
        if isinstance(source, ReadyImage):
            self.engine.images.pull(name)
            return True
        return False

    def _units(self, sources: Mapping[str, Source], name: str) -> list[str]:
        return [f"{self.environment}/{service}" for service in self._of(sources, name)]

    def _of(self, sources: Mapping[str, Source], name: str) -> Mapping[str, Source]:
        return {key: one for key, one in sources.items() if self.engine.name_of(one) == name}

    def _differences(self, sources: Mapping[str, Source], name: str) -> Iterator[Difference]:
        seen = look(self.engine, name)
        units = self._units(sources, name)
        platform = next(iter(self._of(sources, name).values())).platform
        insist_on_architecture(self.lock, seen.architecture, name, platform=platform)
        known = self.lock.of(units[0])
        assert known is not None
        if known.image and not self._is_image(name, known.image, seen.identity):
            yield Difference("image", "image", known.image, seen.identity, tuple(units))
        yield from differences(self.expected[name], seen.manifest, units)

    def _make(self, builds: Mapping[str, tuple[str, Source]]) -> None:
        changes = []
        for name, (service, source) in builds.items():
            assert isinstance(source, Build | DockerfileBuild)
            if isinstance(source, Build):
                self.have_base(source.base)
            # What is lacking of it is told before the first build starts.
            self._build_inputs(source)
            if self.engine.images.find(name) is not None:
                self._fresh.add(source.digest)
            changes.append(_build(service, source))
        self._carry_out(changes, self.session.engine)

    def _carry_out(self, changes: Sequence[Change], backend: Backend) -> None:
        from envctl.reconcile.executor import apply_changes

        self.session.require_build_secrets(changes)
        apply_changes(changes, backend, self.session.report, mask=self.session.store.masked)

    # --- what is provisioned in machines

    def _insist_on_engine(self) -> None:
        try:
            self.engine.check()
        except EnvctlError as error:
            raise EnvctlError(
                "machines cannot be provisioned offline without a container engine",
                details=str(error),
                hint="what they start from is made with one of what is kept: start it, or leave out --offline",
            ) from error

    def _hashes(self) -> Mapping[str, str]:
        """What is locked by build."""
        return {
            build.digest: self.expected[self.engine.name_of(build)].digest
            for build in self._provisioned.values()
        }

    def _provision(self) -> bool:
        """Have what is done in machines as it is locked; whether any was made."""
        there = self.session.observe().images
        wanted = {build.digest: (service, build) for service, build in self._provisioned.items()}
        changes = [_build(*one) for digest, one in wanted.items() if digest not in there]
        for change in changes:
            assert isinstance(change.target, Build)
            # What is lacking of it is told before the first build starts.
            self._build_inputs(change.target)
        self._carry_out(changes, self.session.backend)
        return bool(changes)

    # --- what builds are given

    def have_base(self, base: Base) -> None:
        """Have a base at hand as it is locked. EnvctlError, naming the packages, if it is another."""
        from envctl.bases import ensure

        if self._kitchen is None:
            ensure(base, self.engine.images, self.session.report)
        elif self.engine.images.find(base.image) is None or self._base_differences(base):
            self._kitchen.base(base)
        found = self._base_differences(base)
        if found:
            raise refusal(self.environment, found)

    def _base_differences(self, base: Base) -> tuple[Difference, ...]:
        known = self.lock.bases.get(base.image)
        whole = self._kitchen is not None and self._kitchen.is_kept_whole(base.image)
        if known is None and not whole:
            return ()
        seen, units = look(self.engine, base.image), (f"base {base.image}",)
        found = differences(Manifest(known.packages), seen.manifest, units) if known else ()
        locked = known.image if known else BESIDE
        if whole and not self._is_image(base.image, locked, seen.identity):
            return (Difference("image", "image", locked, seen.identity, units), *found)
        return found

    def _is_image(self, name: str, locked: str, seen: str) -> bool:
        """Whether an image is the locked one. Of one that came from a file the engine knows no registry's digest."""
        kitchen = self._kitchen
        return locked == seen or (kitchen is not None and kitchen.is_kept_as(name, locked))

    def _build_inputs(self, build: Build | DockerfileBuild) -> BuildInputs:
        known = self.expected.get(self.engine.name_of(build))
        if known is not None:
            given = self._kitchen.build_inputs(build, known) if self._kitchen else pins(known)
            return replace(
                given, fresh=build.digest in self._fresh, verifier=self._inspector(build, known)
            )
        if self._kitchen is None or not isinstance(build, Build):
            return NO_BUILD_INPUTS
        # A backend builds it beside what is locked, or on it.
        below = look(self.engine, build.base.image).manifest
        return self._kitchen.extra_build_inputs(build, below)

    def _inspector(self, build: Build | DockerfileBuild, expected: Manifest) -> Inspection | None:
        """What looks into the machine of a build that is done in one."""
        units = tuple(
            f"{self.environment}/{service}"
            for service, one in self._provisioned.items()
            if one.digest == build.digest
        )
        if not units or not isinstance(build, Build):
            return None
        return Inspection(self.environment, self.lock, units, build.base.image, expected)


def _build(service: str, source: Build | DockerfileBuild) -> Change:
    return Change(Action.BUILD, service, because("it is to be as it is locked"), source)


def _both(one: Manifest, other: Manifest) -> Manifest:
    """What is in a build that is made of both: units that share a machine."""
    return Manifest(
        {**one.packages, **other.packages}, {**one.pip, **other.pip}, {**one.npm, **other.npm}
    )
