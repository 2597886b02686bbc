"""Locks made, checked and kept to: what the verbs do with envctl.lock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from envctl.backends.base import NO_SUPPLIES, ImageSource, Supplies
from envctl.errors import EnvctlError, Place, UsageError
from envctl.lock.comparing import Difference, differences, merged
from envctl.lock.inputs import inputs
from envctl.lock.looking import Look, look, looks
from envctl.lock.model import FILE, Lock, LockedBase, LockedBuild, Manifest
from envctl.lock.supplying import pins
from envctl.plan.changes import Action, Change
from envctl.plan.model import Base, Build, DockerfileBuild, ReadyImage, Source
from envctl.suggest import did_you_mean
from envctl.target import Opened
from envctl.vendoring import Kitchen, Vendor, all_backends

_SHOWN: Final = 30
"""How many differences an error lists."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A service of an environment, what it is made from, and what of the spec decides on what that installs."""

    environment: str
    service: str
    source: Source
    inputs: tuple[str, ...]
    where: Place | None

    @property
    def name(self) -> str:
        """As the lock calls it."""
        return f"{self.environment}/{self.service}"


def asked(opened: Iterable[Opened]) -> tuple[Asked, ...]:
    """What the specs of some environments ask for, sorted; replicas are made of one image."""
    found = (
        Asked(
            one.target.environment,
            unit.service,
            unit.source,
            inputs(unit.source, Path(one.plan.scope.root)),
            unit.where,
        )
        for one in opened
        for unit in one.plan.units
        if unit.replica == 1
    )
    return tuple(sorted(found, key=lambda one: one.name))


# --- making -----------------------------------------------------------------------------------


class Maker:
    """Makes the lock of some environments with a container engine.

    `update` are services and bases to be made anew, with no regard to what is locked; without it, what is at
    hand is taken as it is, and what has to be built keeps to the versions of `old` where it can.
    """

    def __init__(
        self, opened: Sequence[Opened], old: Lock, *, update: Sequence[str] | None = None
    ) -> None:
        self.opened = opened
        self.old = old
        self.asked = asked(opened)
        self.update = update
        self.engine: ImageSource = opened[0].engine
        self._known(update or ())

    def make(self) -> Lock:
        """Build what is to be built, look into all of it; the lock, in which other environments stay as they were."""
        self.engine.check()
        bases = {one.source.base for one in self.asked if isinstance(one.source, Build)}
        for base in sorted(bases, key=lambda one: one.image):
            self._have_base(base)
        self._build()
        found = looks(self.engine, {self.engine.name_of(one.source) for one in self.asked})
        roots = looks(self.engine, {base.image for base in bases})
        return self._lock(bases, found, roots)

    def vendor(self, lock: Lock, *, whole: bool) -> None:
        """Keep the files of a lock that was just made of all, or not the whole, of the environments."""
        sources = {one.name: one.source for one in self.asked}
        self.opened[0].supplies = lambda _build: NO_SUPPLIES
        Vendor(self.opened[0], lock, sources).keep(whole=whole)

    def _known(self, names: Sequence[str]) -> None:
        known = {one.service for one in self.asked} | {
            name
            for one in self.asked
            if isinstance(one.source, Build)
            for name in (one.source.base.image, one.source.base.name)
            if name
        }
        for name in names:
            if name not in known:
                raise UsageError(
                    f"no environment has a service or a base {name!r}",
                    hint=did_you_mean(name, known),
                )

    def _is_updated(self, *names: str) -> bool:
        if self.update is None:
            return False
        return not self.update or any(name in self.update for name in names)

    def _have_base(self, base: Base) -> None:
        from envctl.bases import ensure, renew

        have = renew if self._is_updated(base.image, base.name) else ensure
        have(base, self.engine.images, self.opened[0].report)

    def _build(self) -> None:
        """Make the images that are not there or are to be another; a service's base may have moved below it."""
        from envctl.execute import carry_out

        changes: dict[str, Change] = {}
        fresh: dict[str, Supplies] = {}
        for one in self.asked:
            source, name = one.source, self.engine.name_of(one.source)
            base = (source.base.image, source.base.name) if isinstance(source, Build) else ()
            updated = self._is_updated(one.service, *base)
            if isinstance(source, ReadyImage):
                if updated or self.engine.images.find(name) is None:
                    self.engine.images.pull(name)
            elif updated or self.engine.images.find(name) is None:
                cause = "it is to be made anew" if updated else "the image is not there"
                changes.setdefault(name, Change(Action.BUILD, one.name, cause, one.where, source))
                known = self.old.of(one.name)
                fresh[source.digest] = (
                    Supplies(fresh=True)
                    if updated
                    else pins(known.manifest)
                    if known
                    else Supplies()
                )
        self.opened[0].supplies = lambda build: fresh.get(build.digest, Supplies())
        carry_out(tuple(changes.values()), self.opened[0].engine, self.opened[0].report)

    def _lock(
        self, bases: Iterable[Base], found: Mapping[str, Look], roots: Mapping[str, Look]
    ) -> Lock:
        architectures = {one.architecture for one in (*found.values(), *roots.values())} - {""}
        if len(architectures) > 1:
            raise EnvctlError(
                f"the images are of several architectures: {', '.join(sorted(architectures))}",
                hint="a lock is made on one: build all of them on the same engine",
            )
        environments = {one.target.environment for one in self.opened}
        builds = _together([*_others(self.old, environments), *self._builds(found)])
        locked = {
            base.image: LockedBase(
                roots[base.image].identity,
                roots[base.image].manifest.packages,
                base.snapshot,
                self._box(base),
            )
            for base in bases
        }
        used = {build.base for build in builds}
        kept = {name: base for name, base in self.old.bases.items() if name in used}
        return Lock(next(iter(architectures), self.old.architecture), {**kept, **locked}, builds)

    def _box(self, base: Base) -> str:
        found = (
            getattr(one, "box_checksum", lambda _base: "")(base)
            for one in all_backends(self.opened[0])
        )
        return next(filter(None, found), "")

    def _builds(self, found: Mapping[str, Look]) -> Iterator[LockedBuild]:
        for one in self.asked:
            seen = found[self.engine.name_of(one.source)]
            yield LockedBuild(
                (one.name,),
                one.inputs,
                seen.manifest,
                one.source.base.image if isinstance(one.source, Build) else "",
                seen.identity if isinstance(one.source, ReadyImage) else "",
            )


def _together(builds: Iterable[LockedBuild]) -> tuple[LockedBuild, ...]:
    """Units that ask for the same and whose builds came out alike, in one entry."""
    groups: dict[tuple[object, ...], LockedBuild] = {}
    for one in builds:
        key = (one.inputs, one.manifest.digest, one.base, one.image)
        units = (*groups[key].units, *one.units) if key in groups else one.units
        groups[key] = replace(one, units=tuple(sorted(units)))
    return tuple(groups.values())


def _others(lock: Lock, environments: set[str]) -> Iterator[LockedBuild]:
    """What is locked of other environments."""
    for build in lock.builds:
        units = tuple(unit for unit in build.units if unit.partition("/")[0] not in environments)
        if units:
            yield replace(build, units=units)


# --- checking ---------------------------------------------------------------------------------


def spec_differences(lock: Lock, wanted: Iterable[Asked]) -> tuple[Difference, ...]:
    """What some services ask for and the lock was not made for. No engine is asked."""
    found = []
    for one in wanted:
        known = lock.of(one.name)
        if known is None:
            found.append(Difference("unit", one.name, None, "in the spec", (one.name,)))
            continue
        gone = [line for line in known.inputs if line not in one.inputs]
        fresh = [line for line in one.inputs if line not in known.inputs]
        if not gone and not fresh and known.inputs != one.inputs:
            fresh = ["the same in another order"]
        found += [Difference("spec", line, line, None, (one.name,)) for line in gone]
        found += [Difference("spec", line, None, line, (one.name,)) for line in fresh]
    return merged(found)


def check(lock: Lock, opened: Sequence[Opened], *, whole: bool) -> tuple[Difference, ...]:
    """All that the spec, or an image or base that is at hand, differs in from the lock.

    `whole` says that these are all environments: what is locked of others is told, too.
    """
    wanted = asked(opened)
    found = list(spec_differences(lock, wanted))
    if whole:
        names = {one.name for one in wanted}
        found += [
            Difference("unit", unit, "locked", None, (unit,))
            for build in lock.builds
            for unit in build.units
            if unit not in names
        ]
    engine = _answering(opened)
    if engine is not None:
        others = {unit for one in found for unit in one.units}
        same = [one for one in wanted if one.name not in others]
        found += _image_differences(lock, same, engine)
    return merged(found)


def _answering(opened: Sequence[Opened]) -> ImageSource | None:
    """The engine, if there is one to ask."""
    try:
        engine: ImageSource = opened[0].engine
        engine.check()
    except EnvctlError:
        return None
    return engine


def _image_differences(
    lock: Lock, wanted: Sequence[Asked], engine: ImageSource
) -> Iterator[Difference]:
    bases = {one.source.base.image for one in wanted if isinstance(one.source, Build)}
    here = {engine.name_of(one.source) for one in wanted} | (bases & {*lock.bases})
    found = looks(engine, {name for name in here if engine.images.find(name) is not None})
    for name in sorted(bases & {*lock.bases} & {*found}):
        base = Manifest(lock.bases[name].packages)
        yield from differences(base, found[name].manifest, [f"base {name}"])
    for one in wanted:
        seen, known = found.get(engine.name_of(one.source)), lock.of(one.name)
        if seen is not None and known is not None:
            yield from unit_differences(known, seen, one.name)


def unit_differences(known: LockedBuild, seen: Look, unit: str) -> Iterator[Difference]:
    """What an image differs in from what is locked."""
    if known.image and known.image != seen.identity:
        yield Difference("image", "image", known.image, seen.identity, (unit,))
    yield from differences(known.manifest, seen.manifest, [unit])


# --- keeping to it ----------------------------------------------------------------------------


class Frozen:
    """One target whose builds have to come out as they are locked.

    `plain` is the same environment as an engine's: a backend may pack the units of its own plan together.
    """

    def __init__(
        self, opened: Opened, plain: Opened, lock: Lock | None, *, offline: bool = False
    ) -> None:
        if lock is None:
            raise EnvctlError(
                f"there is no {FILE}", hint="`envctl lock` writes it; commit it with the spec"
            )
        self.opened = opened
        self.lock = lock
        self.environment = opened.target.environment
        self.asked = {one.service: one for one in asked([plain])}
        self.expected: dict[str, Manifest] = {}
        self._fresh: set[str] = set()
        root = Path(plain.plan.scope.root)
        self._kitchen = Kitchen(self.engine, lock, root, opened.report) if offline else None
        opened.supplies = self._supplies
        opened.have_base = self.have_base

    @property
    def engine(self) -> ImageSource:
        """The engine with the images."""
        engine: ImageSource = self.opened.engine
        return engine

    def insist(self, services: Iterable[str]) -> None:
        """Raise EnvctlError, naming what differs, unless the lock was made for what the spec asks of these services."""
        found = spec_differences(self.lock, [self.asked[name] for name in services])
        if found:
            raise EnvctlError(
                f"{FILE} was not made for the spec of {self.environment} as it is now",
                details=_listed(found),
                hint="`envctl lock` brings it up to date and says what moves",
            )

    def prepare(self, sources: Mapping[str, Source]) -> bool:
        """Have the images of all services as they are locked; whether any was made.

        EnvctlError, naming the packages, if one comes out otherwise; nothing else has been done by then.
        """
        self.engine.check()
        for service, source in sources.items():
            known = self.lock.of(f"{self.environment}/{service}")
            assert known is not None
            name = self.engine.name_of(source)
            earlier = self.expected.get(name)
            self.expected[name] = _both(earlier, known.manifest) if earlier else known.manifest
        wrong = {name for name in self.expected if self._differs(sources, name)}
        builds = {
            self.engine.name_of(source): (service, source)
            for service, source in sources.items()
            if not isinstance(source, ReadyImage) and self.engine.name_of(source) in wrong
        }
        if builds:
            self._make(builds)
        found = [one for name in sorted(wrong) for one in self._differences(sources, name)]
        if found:
            raise _other(self.environment, found)
        return bool(builds)

    def _differs(self, sources: Mapping[str, Source], name: str) -> bool:
        there = self.engine.images.find(name) is not None
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
        if self.lock.architecture not in ("", seen.architecture):
            raise EnvctlError(
                f"{FILE} was made for {self.lock.architecture}, and {name} is of {seen.architecture}"
            )
        known = self.lock.of(units[0])
        assert known is not None
        if known.image and known.image != seen.identity:
            yield Difference("image", "image", known.image, seen.identity, tuple(units))
        yield from differences(self.expected[name], seen.manifest, units)

    def _make(self, builds: Mapping[str, tuple[str, Source]]) -> None:
        from envctl.execute import carry_out

        changes = []
        for name, (service, source) in builds.items():
            assert isinstance(source, Build | DockerfileBuild)
            if isinstance(source, Build):
                self.have_base(source.base)
            # What is lacking of it is told before the first build starts.
            self._supplies(source)
            if self.engine.images.find(name) is not None:
                self._fresh.add(source.digest)
            changes.append(
                Change(Action.BUILD, service, "it is to be as it is locked", None, source)
            )
        carry_out(changes, self.opened.engine, self.opened.report)

    def have_base(self, base: Base) -> None:
        """Have a base at hand as it is locked. EnvctlError, naming the packages, if it is another."""
        from envctl.bases import ensure

        if self._kitchen is None:
            ensure(base, self.engine.images, self.opened.report)
        elif self.engine.images.find(base.image) is None or self._base_differences(base):
            self._kitchen.base(base)
        found = self._base_differences(base)
        if found:
            raise _other(self.environment, found)

    def _base_differences(self, base: Base) -> tuple[Difference, ...]:
        known = self.lock.bases.get(base.image)
        if known is None:
            return ()
        seen = look(self.engine, base.image)
        return differences(Manifest(known.packages), seen.manifest, [f"base {base.image}"])

    def _supplies(self, build: Build | DockerfileBuild) -> Supplies:
        known = self.expected.get(self.engine.name_of(build))
        if known is not None:
            given = self._kitchen.supplies(build, known) if self._kitchen else pins(known)
            return replace(given, fresh=build.digest in self._fresh)
        if self._kitchen is None or not isinstance(build, Build):
            return NO_SUPPLIES
        # A backend builds it beside what is locked, or on it.
        below = look(self.engine, build.base.image).manifest
        return self._kitchen.supplies_beside(build, below)


def _both(one: Manifest, other: Manifest) -> Manifest:
    """What is in a build that is made of both: units that share a machine."""
    return Manifest(
        {**one.packages, **other.packages}, {**one.pip, **other.pip}, {**one.npm, **other.npm}
    )


def _other(environment: str, found: Iterable[Difference]) -> EnvctlError:
    told = merged(found)
    count = len(told)
    return EnvctlError(
        f"{environment} does not come out as {FILE} says: {count} difference{'s'[: count != 1]}, "
        "locked → found; nothing was replaced",
        details=_listed(told),
        hint="the mirror may have moved on: `envctl lock --update` moves the lock, too; "
        "`envctl lock --vendor` keeps packages, so that a mirror is not needed again",
    )


def _listed(found: Sequence[Difference]) -> str:
    lines = [told(one) for one in found[:_SHOWN]]
    more = len(found) - _SHOWN
    return "\n".join([*lines, *([f"and {more} more"] if more > 0 else [])])


def told(one: Difference) -> str:
    """A difference in a line, with the units that have it."""
    units = ", ".join(one.units)
    match one.kind:
        case "unit":
            return (
                f"{one.name} is not locked"
                if one.before is None
                else f"{one.name} is in the spec no more"
            )
        case "spec":
            return f"{units} asks {'for' if one.before is None else 'no more for'}: {one.name}"
        case _:
            return f"{units}: {one}"
