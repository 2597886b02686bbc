"""Keeping what is locked, and building of it: what the verbs do with envctl.vendor."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from envctl.backends import backend_names, open_backend
from envctl.backends.base import ImageEngine, MachineBuilds
from envctl.backends.common.build_inputs import BuildInputs, ExtraBuild
from envctl.errors import EnvctlError
from envctl.lock.fetching import Fetcher
from envctl.lock.folder import FOLDER
from envctl.lock.inspect import identity, look
from envctl.lock.model import Lock, LockedBuild, Manifest
from envctl.lock.pins import TOOLS, beside_key, integrities, kept_files
from envctl.lock.registry import asking
from envctl.lock.vendor import BESIDE, DEB, IMAGE, NPM, WHEEL, Kept, Store, packages_text
from envctl.plan.model import Base, Build, DockerfileBuild, ReadyImage, Source
from envctl.plan.text import step_text
from envctl.progress import Progress, Report, Stage
from envctl.session import Session


class Vendor:
    """Keeps the files of a lock that was just made; `sources` are what its units are made from, by their names."""

    def __init__(self, session: Session, lock: Lock, sources: Mapping[str, Source]) -> None:
        self._session = session
        self._engine: ImageEngine = session.engine
        self._lock = lock
        self._sources = sources
        self._bases = {
            one.base.image: one.base for one in sources.values() if isinstance(one, Build)
        }
        self._store = Store(Path(session.plan.scope.root))
        self._store.insist(lock.vendor)
        self._fetcher = Fetcher(self._engine, self._store, session.report)
        self._images: set[tuple[str, str]] = set()
        self._beside: set[str] = set()
        self._knows_all = True

    @property
    def digest(self) -> str:
        """One hash for all that is kept."""
        return self._store.digest

    def keep(self, *, whole: bool) -> tuple[int, int]:
        """Have all of it in the store: how many files there are, and their size in bytes.

        EnvctlError if what is kept already is not what the lock vouches for: it would vouch for it from now on.

        `whole` says that the sources are those of all environments: what is needed no more is removed then.
        """
        self._session.report(Progress("vendor", Stage.STARTED))
        try:
            for name in sorted({build.base for build in self._lock.builds if build.base}):
                self._base(name)
            for build in self._lock.builds:
                self._build(build)
            if whole:
                self._prune()
        finally:
            # What was fetched before something failed need not be fetched again.
            self._store.save()
        files = self._store.index.files.values()
        size = sum(one.size for one in files)
        done = f"{len(files)} files, {size / 1_000_000:.0f} MB in {FOLDER}"
        self._session.report(Progress("vendor", Stage.DONE, done))
        return len(files), size

    # --- parts

    def _base(self, name: str) -> None:
        from envctl.bases import is_made
        from envctl.bases.vendored_base import SOURCES

        info = self._engine.images.info(name)
        if info is None or name not in self._bases:
            # Of another environment, whose lock was not made now.
            return
        if is_made(name, info):
            self._fetcher.debs(name, self._lock.bases[name].packages)
            text = self._engine.images.read_file(name, SOURCES).decode("utf-8", "replace")
            self._store.index.sources[name] = text
        else:
            self._store.index.sources.pop(name, None)
            self._image(name, identity(self._engine, name))
        if "dpkg" in self._lock.bases[name].packages:
            # Machines that are provisioned start from it.
            self._all_beside(self._bases[name], f"base {name}")

    def _image(self, name: str, what: str) -> None:
        self._fetcher.image(name, what)
        self._images.add((name, what))

    def _build(self, build: LockedBuild) -> None:
        known = [self._sources[unit] for unit in build.units if unit in self._sources]
        if not known:
            return
        source = known[0]
        name = self._engine.name_of(source)
        if isinstance(source, ReadyImage):
            self._image(name, build.image)
        elif isinstance(source, DockerfileBuild):
            for one in known:
                assert isinstance(one, DockerfileBuild)
                self._image(self._engine.name_of(one), one.digest)
        else:
            base = self._lock.bases[build.base].packages
            self._fetcher.all_of(name, build.manifest, but=base)
            self._warn(source, build.units[0])
        if not isinstance(source, Build) or "dpkg" in build.manifest.packages:
            self._all_beside(source, build.units[0])

    def _warn(self, source: Build, unit: str) -> None:
        for step in asking(source, Path(self._session.plan.scope.root)):
            text = (
                f"{unit} cannot be built of what is kept: `{step_text(step)}` ({step.where}) asks npm's registry "
                "unless a package-lock.json is copied in before that has `resolved` for each package"
            )
            self._session.report(Progress("vendor", Stage.NOTE, text))

    def _all_beside(self, source: Source | Base, unit: str) -> None:
        """Keep what any backend builds for a source; one that cannot be built here keeps nothing else away."""
        for backend in machine_backends(self._session):
            try:
                made: dict[str, Build] = {}
                for beside in backend.extra_builds(source):
                    self._keep_beside(beside, unit, made)
                    made[self._engine.name_of(beside.build)] = beside.build
            except EnvctlError as error:
                self._knows_all = False
                text = f"what machines of {unit} need is not kept: {error.brief}"
                self._session.report(Progress("vendor", Stage.NOTE, text))

    def _keep_beside(self, beside: ExtraBuild, unit: str, made: Mapping[str, Build]) -> None:
        """Keep what another backend's machines need: it is built here, to know what that is.

        `made` are those that it may stand on, by their images' names.
        """
        start = beside.build.base.image
        if start in made:
            self._engine.have(f"{unit}, for machines", made[start])
        elif beside.build.base.name:
            self._session.have_base(beside.build.base)
            if start not in self._lock.bases:
                self._image(start, BESIDE)
        below = look(self._engine, start).manifest
        key = beside_key(beside.build, below)
        self._beside.add(key)
        if key in self._store.index.beside:
            known = self._store.index.beside[key]
            if all(self._fetcher.is_kept(DEB, name, version) for name, version in known.items()):
                return
        image = self._engine.have(f"{unit}, for machines", beside.build)
        packages = look(self._engine, image).manifest.packages
        own = {name: one for name, one in packages.items() if below.packages.get(name) != one}
        self._fetcher.debs(image, own)
        self._store.index.beside[key] = {**own, **self._fetcher.downloads(image, beside.downloads)}

    def _prune(self) -> None:
        """Forget what is needed no more; of what machines need, only if all that they do is known."""
        index = self._store.index
        if self._knows_all:
            index.beside = {key: one for key, one in index.beside.items() if key in self._beside}
        self._store.prune(self._is_needed)

    def _is_needed(self, kept: Kept) -> bool:
        if kept.kind == IMAGE:
            # What could not be looked at may need the image of another base.
            return not self._knows_all or (kept.name, kept.version) in self._images
        return (kept.kind, kept.name, kept.version) in self._needed()

    def _needed(self) -> set[tuple[str, str, str]]:
        found = {
            (DEB, name, version)
            for versions in (
                *(base.packages for base in self._lock.bases.values()),
                *(build.manifest.packages for build in self._lock.builds),
                *self._store.index.beside.values(),
            )
            for name, version in versions.items()
        }
        for build in self._lock.builds:
            found |= {
                (WHEEL, name, told.partition(" ")[0])
                for versions in build.manifest.pip.values()
                for name, told in versions.items()
                if name not in TOOLS
            }
            found |= {
                (NPM, package.rpartition("@")[0], integrity)
                for integrity, package in integrities(build.manifest).items()
            }
        return found


def machine_backends(session: Session) -> Iterator[MachineBuilds]:
    """Every backend that makes machines, for the same environment: a lock serves all of them."""
    backends = (open_backend(name, session.context) for name in backend_names())
    return (backend for backend in backends if isinstance(backend, MachineBuilds))


# --- building of it ---------------------------------------------------------------------------


class Kitchen:
    """Gives builds what is kept of them, and makes bases and images of it. No network is used.

    EnvctlError if nothing is kept, or other files than the lock vouches for: packages' scripts run as root.
    """

    def __init__(self, engine: ImageEngine, lock: Lock, root: Path, report: Report) -> None:
        self._engine = engine
        self._lock = lock
        self._report = report
        self._store = Store(root)
        if self._store.is_empty:
            raise EnvctlError(
                f"nothing is kept in {FOLDER}",
                hint="`envctl lock --vendor`, where there is a network, keeps what is locked",
            )
        self._store.insist(lock.vendor)

    def build_inputs(self, build: Build | DockerfileBuild, manifest: Manifest) -> BuildInputs:
        """The very files of a build. EnvctlError if one is lacking, or is not what was kept."""
        base = build.base.image if isinstance(build, Build) else ""
        known = self._lock.bases.get(base)
        return kept_files(manifest, self._store, but=known.packages if known else {})

    def extra_build_inputs(self, build: Build, below: Manifest) -> BuildInputs:
        """The files of what a backend builds on what `below` says."""
        # In a machine that units share is what is in each: no more is lacking than for one of them.
        parts = (
            one.manifest
            for one in self._lock.builds
            if one.manifest.packages.items() <= below.packages.items()
        )
        kept = self._store.index.beside
        found = (kept.get(beside_key(build, part)) for part in (below, *parts))
        packages = next((one for one in found if one is not None), None)
        if packages is None:
            raise EnvctlError(
                f"what is built on {build.base.image} for machines is not in {FOLDER}",
                hint="`envctl lock --vendor`, where there is a network, keeps it",
            )
        return kept_files(Manifest(packages), self._store, but={})

    def base(self, base: Base) -> None:
        """Make a base of its kept packages, or take in its kept image."""
        from envctl.bases.vendored_base import bootstrap_kept

        known = self._lock.bases.get(base.image)
        sources = self._store.index.sources.get(base.image)
        if known is None or sources is None:
            self.image(base.image, known.image if known else BESIDE)
            return
        work = f"base {base.image}"
        self._report(Progress(work, Stage.STARTED))
        with tempfile.TemporaryDirectory(prefix="envctl-base-") as temporary:
            folder = Path(temporary)
            # mmdebstrap's helpers may be another user.
            folder.chmod(0o755)
            debs = self._debs(known.packages.items())
            for one in debs:
                self._store.copy(one, folder / one.file)
            (folder / "Packages").write_text(packages_text(debs), "utf-8")
            bootstrap_kept(
                base,
                folder,
                packages=sorted(known.packages),
                sources=sources,
                store=self._engine.images,
                report=self._report,
            )
        self._report(Progress(work, Stage.DONE, f"made of what is kept in {FOLDER}"))

    def image(self, name: str, what: str) -> None:
        """Take in a kept image. EnvctlError if it is not kept."""
        kept = self._image(name, what)
        if kept is None:
            raise EnvctlError(
                f"the image {name} is not in {FOLDER}",
                hint="`envctl lock --vendor`, where there is a network, keeps it",
            )
        self._report(Progress(f"image {name}", Stage.STARTED))
        with tempfile.TemporaryDirectory(prefix="envctl-image-") as temporary:
            file = self._store.copy(kept, Path(temporary) / "image.tar")
            self._engine.images.restore(file, name=name, identity=kept.image)
        self._report(Progress(f"image {name}", Stage.DONE, f"taken from {FOLDER}"))

    def is_kept_as(self, name: str, what: str) -> bool:
        """Whether the engine's image of that name is the one that is kept whole as `what`."""
        kept = self._image(name, what)
        return kept is not None and kept.image == self._engine.images.find(name)

    def is_kept_whole(self, name: str) -> bool:
        """Whether a base is kept as an image, and not as packages to make it of."""
        return name not in self._store.index.sources and self._image(name, "") is not None

    def _image(self, name: str, what: str) -> Kept | None:
        found = (
            one
            for one in self._store.index.files.values()
            if (one.kind, one.name) == (IMAGE, name) and what in ("", one.version)
        )
        return next(found, None)

    def _debs(self, wanted: Iterable[tuple[str, str]]) -> list[Kept]:
        found: list[Kept] = []
        lacking: list[str] = []
        for name, version in sorted(wanted):
            kept = self._store.find(DEB, name, version)
            found += kept
            lacking += [] if kept else [f"{name} {version}"]
        if lacking:
            raise EnvctlError(
                f"not all packages of the base are in {FOLDER}",
                details="\n".join(lacking),
                hint="`envctl lock --vendor`, where there is a network, fetches what is missing",
            )
        return found
