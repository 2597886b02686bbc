"""Locks made: what is not there is built, and all of it is looked into."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from envctl.backends.base import ImageEngine
from envctl.backends.common.build_inputs import NO_BUILD_INPUTS, BuildInputs
from envctl.errors import EnvctlError, UsageError
from envctl.lock import text
from envctl.lock.folder import FOLDER
from envctl.lock.inspect import Look, looks
from envctl.lock.lock_differences import Difference, moved
from envctl.lock.messages import insist_on_platform
from envctl.lock.model import Lock, LockedBase, LockedBuild
from envctl.lock.offline import Vendor, machine_backends
from envctl.lock.pins import pins
from envctl.lock.requests import asked
from envctl.lock.unmet_requirements import contradicted
from envctl.lock.vendor import Store
from envctl.plan.build_secrets import secret_names, secrets_to_build
from envctl.plan.changes import Action, Change, because
from envctl.plan.model import Base, Build, ReadyImage
from envctl.plan.platforms import processor
from envctl.progress import Progress
from envctl.session import Session
from envctl.suggest import did_you_mean


def make(
    root: Path,
    session: Sequence[Session],
    *,
    update: Sequence[str] | None = None,
    vendor: bool = False,
    whole: bool = False,
) -> tuple[Lock, tuple[Difference, ...]]:
    """Write the lock of some, or the whole, of a project's environments; the lock, and what moved.

    With `update`, these services and bases, or all if it is empty, are made anew; with `vendor` all files are kept.
    """
    before = text.load(root) or Lock()
    maker = Maker(session, before, update=update)
    if vendor:
        maker.insist_on_one_platform()
    lock = maker.make()
    text.save(lock, root)
    if vendor:
        maker.vendor(lock, whole=whole)
    return lock, moved(before, lock)


class Maker:
    """Makes the lock of some environments with a container engine.

    `update` are services and bases to be made anew, with no regard to what is locked; without it, what is at
    hand is taken as it is, and what has to be built keeps to the versions of `old` where it can.
    """

    def __init__(
        self, session: Sequence[Session], old: Lock, *, update: Sequence[str] | None = None
    ) -> None:
        self.session = session
        self.old = old
        self.asked = asked(session)
        self.update = update
        self.engine: ImageEngine = session[0].engine
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
        for one in self.asked:
            if one.source.platform:
                name = self.engine.name_of(one.source)
                insist_on_platform(one.source.platform, found[name].architecture, name)
        return self._lock(bases, found, roots)

    def insist_on_one_platform(self) -> None:
        """EnvctlError unless one is all that is asked for, or kept already: packages of several have the same names and versions."""
        places = {one.source.platform: one.where for one in reversed(self.asked)}
        kept = not Store(Path(self.session[0].plan.scope.root)).is_empty
        platforms = {*places, *(one.platform for one in self.old.builds if kept)}
        if len(platforms) > 1:
            names = " and ".join(sorted(one or "the engine's own" for one in platforms))
            raise EnvctlError(
                f"packages are kept for one platform, and here are {names}",
                hint=f"leave out --vendor; or have one platform in the spec, remove {FOLDER}, and lock it anew",
                where=next((where for name, where in places.items() if name), None),
            )

    def vendor(self, lock: Lock, *, whole: bool) -> None:
        """Keep the files of a lock that was just made of all, or not the whole, of the environments.

        The lock is written once more: it vouches for what is kept, also for what was before something failed.
        """
        sources = {one.name: one.source for one in self.asked}
        self.session[0].build_inputs = lambda _build: NO_BUILD_INPUTS
        vendor = Vendor(self.session[0], lock, sources)
        try:
            vendor.keep(whole=whole)
        finally:
            text.save(replace(lock, vendor=vendor.digest), Path(self.session[0].plan.scope.root))

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
        have(base, self.engine.images, self.session[0].report)

    def _build(self) -> None:
        """Make the images that are not there or are to be another; a service's base may have moved below it."""
        changes: dict[str, Change] = {}
        fresh: dict[str, BuildInputs] = {}
        held: set[str] = set()
        for one in self.asked:
            source, name = one.source, self.engine.name_of(one.source)
            base = (source.base.image, source.base.name) if isinstance(source, Build) else ()
            updated = self._is_updated(one.service, *base)
            if isinstance(source, ReadyImage):
                if updated or self.engine.images.at_hand(name) is None:
                    self.engine.images.pull(name)
            elif updated or self.engine.images.find(name) is None:
                cause = "it is to be made anew" if updated else "the image is not there"
                changes.setdefault(
                    name, Change(Action.BUILD, one.name, because(cause, one.where), source)
                )
                known = self.old.of(one.name)
                if updated or known is None:
                    fresh[source.digest] = BuildInputs(fresh=updated)
                else:
                    otherwise = contradicted(one.inputs, known.manifest)
                    fresh[source.digest] = pins(known.manifest, but=otherwise)
                    held.add(one.service)
        self.session[0].build_inputs = lambda build: fresh.get(build.digest, BuildInputs())
        with _letting_go(held):
            self._carry_out(tuple(changes.values()))

    def _carry_out(self, changes: Sequence[Change]) -> None:
        """Build them all; an image that several environments share is given the secrets of the first that declares them."""
        from envctl.reconcile.executor import apply_changes

        wanted = secrets_to_build(changes)
        givers = {
            name: next(one for one in self.session if name in secret_names(one.plan.units))
            for name in wanted
        }
        for one in dict.fromkeys(givers.values()):
            one.require_approval()

        def mask(text: str) -> str:
            for one in dict.fromkeys(givers.values()):
                text = one.store.masked(text)
            return text

        first = self.session[0]
        first.secret = lambda name: givers[name].store.value(name)

        def report(progress: Progress) -> None:
            first.report(replace(progress, text=mask(progress.text)))

        apply_changes(changes, first.engine, report, mask=mask)

    def _lock(
        self, bases: Iterable[Base], found: Mapping[str, Look], roots: Mapping[str, Look]
    ) -> Lock:
        # What has a platform in the spec is of that, and its entries say so.
        own = {self.engine.name_of(one.source) for one in self.asked if not one.source.platform}
        own |= {base.image for base in bases if not base.platform}
        seen = {**found, **roots}
        architectures = {one.architecture for name, one in seen.items() if name in own} - {""}
        if len(architectures) > 1:
            raise EnvctlError(
                f"the images are of several architectures: {', '.join(sorted(architectures))}",
                hint="a lock is made on one: build all of them on the same engine",
            )
        environments = {one.target.environment for one in self.session}
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
        told = {one.architecture for one in seen.values()}
        said = {processor(p).said[0] for one in self.asked if (p := one.source.platform)}
        others = (*sorted(told - {""}), *sorted(said))
        architecture = next(filter(None, [*architectures, self.old.architecture, *others]), "")
        return Lock(architecture, {**kept, **locked}, builds, self.old.vendor)

    def _box(self, base: Base) -> str:
        found = (one.box_checksum(base) for one in machine_backends(self.session[0]))
        return next(filter(None, found), "")

    def _builds(self, found: Mapping[str, Look]) -> Iterator[LockedBuild]:
        for one in self.asked:
            seen = found[self.engine.name_of(one.source)]
            yield LockedBuild(
                (one.name,),
                tuple(asked.line for asked in one.inputs),
                seen.manifest,
                one.source.base.image if isinstance(one.source, Build) else "",
                seen.identity if isinstance(one.source, ReadyImage) else "",
            )


@contextmanager
def _letting_go(held: Collection[str]) -> Iterator[None]:
    """Errors say how services that are held to what is locked are let go."""
    try:
        yield
    except EnvctlError as error:
        if held:
            name = " ".join(sorted(held))
            let_go = f"`envctl lock --update {name}` lets go of them"
            either = f"{error.hint}; or, " if error.hint else ""
            error.hint = f"{either}if the locked versions stand in the way, {let_go}"
        raise


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
