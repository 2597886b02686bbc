"""Fetching what is locked into the store, with the tools and the sources of the images that have it installed."""

from __future__ import annotations

import base64
import hashlib
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Final

from envctl.backends.base import ImageEngine
from envctl.backends.common.build_inputs import ContainerScript
from envctl.errors import EnvctlError
from envctl.lock.debs import left, same_version, wheels
from envctl.lock.model import Manifest, Versions
from envctl.lock.pins import TOOLS, integrities
from envctl.lock.vendor import DEB, IMAGE, NPM, WHEEL, Store
from envctl.progress import Progress, Report, Stage

_TIMEOUT: Final = 3600.0


class Fetcher:
    """Has what is locked in the store, and fetches what is not there yet."""

    def __init__(self, engine: ImageEngine, store: Store, report: Report) -> None:
        self._engine = engine
        self._store = store
        self._report = report

    def all_of(self, image: str, manifest: Manifest, *, but: Versions) -> None:
        """Keep all that is installed in an image, but packages that are kept with its base already."""
        self.debs(image, {k: v for k, v in manifest.packages.items() if but.get(k) != v})
        for venv, versions in manifest.pip.items():
            self._wheels(image, venv, versions)
        self._npm(image, manifest)

    def debs(self, image: str, packages: Versions) -> None:
        """Keep packages of the distribution. EnvctlError if the mirror has one no more."""
        wanted = {
            name: version
            for name, version in packages.items()
            if not self.is_kept(DEB, name, version)
        }
        if not wanted:
            return
        self._say(image, f"{len(wanted)} packages")
        words = sorted(f"{name}={version.partition(' ')[0]}" for name, version in wanted.items())
        with self._fetched(image, ("deb", *words)) as folder:
            for deb in left(folder):
                for known in (f"{deb.name}:{deb.architecture}", deb.name):
                    # What was not asked for is not kept under a name that it gives itself.
                    if wanted.get(known, "").partition(" ")[0] == deb.version:
                        version = wanted[known]
                        self._store.keep(deb.file, DEB, known, version, control=deb.control)
                        break
        self._insist(DEB, packages.items())

    def downloads(self, image: str, names: Sequence[str]) -> Versions:
        """Keep packages that are not installed in an image, in the version that its mirror has; their versions."""
        if not names:
            return {}
        self._say(image, " ".join(names))
        found: dict[str, str] = {}
        with self._fetched(image, ("first", *names)) as folder:
            there = {deb.name: deb for deb in left(folder)}
            asked = [name for name in names if name in there]
            firsts = [first for name in asked if (first := there[name].depends) in there]
            for name in dict.fromkeys((*asked, *firsts)):
                deb = there[name]
                self._store.keep(deb.file, DEB, name, deb.version, control=deb.control)
                found[name] = deb.version
        lacking = sorted({*names} - {*found})
        if lacking:
            raise EnvctlError(f"{image} did not fetch {', '.join(lacking)}", hint=_MOVED)
        return found

    def image(self, name: str, identity: str) -> None:
        """Keep an image as it is: one that is ready, or made by a recipe that envctl does not know."""
        known = self._engine.images.find(name) or ""
        there = self._store.find(IMAGE, name, identity)
        if any(one.image == known and self._store.has(one) for one in there):
            return
        self._say(name, "the image")
        with tempfile.TemporaryDirectory(prefix="envctl-fetch-") as temporary:
            file = Path(temporary) / "image.tar"
            self._engine.save(name, file)
            self._store.keep(file, IMAGE, name, identity, image=known)

    def is_kept(self, kind: str, name: str, version: str) -> bool:
        """Whether a file of that version is there; the index may speak of one that is gone."""
        return any(self._store.has(one) for one in self._store.find(kind, name, version))

    # --- parts

    def _wheels(self, image: str, venv: str, versions: Versions) -> None:
        plain = {name: version.partition(" ")[0] for name, version in versions.items()}
        wanted = {
            name: version
            for name, version in plain.items()
            if name not in TOOLS and not self.is_kept(WHEEL, name, version)
        }
        if not wanted:
            return
        self._say(image, f"{len(wanted)} wheels of {venv}")
        python = f"{venv}/bin/python" if not venv.endswith("-packages") else "python3"
        words = sorted(f"{name}=={version}" for name, version in wanted.items())
        with self._fetched(image, ("wheel", python, *words)) as folder:
            for (name, version), file in wheels(folder).items():
                if same_version(wanted.get(name, ""), version):
                    self._store.keep(file, WHEEL, name, wanted[name])
        self._insist(WHEEL, [one for one in plain.items() if one[0] not in TOOLS])

    def _npm(self, image: str, manifest: Manifest) -> None:
        wanted = {
            integrity: package
            for integrity, package in integrities(manifest).items()
            if not self.is_kept(NPM, package.rpartition("@")[0], integrity)
        }
        if not wanted:
            return
        self._say(image, f"{len(wanted)} packages of npm")
        with self._fetched(image, ("npm", *sorted(set(wanted.values())))) as folder:
            for file in sorted(folder.iterdir()):
                with file.open("rb") as content:
                    digest = hashlib.file_digest(content, "sha512").digest()
                integrity = f"sha512-{base64.b64encode(digest).decode()}"
                if integrity in wanted:
                    name = wanted[integrity].rpartition("@")[0]
                    self._store.keep(file, NPM, name, integrity)
        self._insist(NPM, [(one.rpartition("@")[0], key) for key, one in wanted.items()])

    def _insist(self, kind: str, wanted: Iterable[tuple[str, str]]) -> None:
        lacking = [
            f"{name} {version}"
            for name, version in sorted(wanted)
            if not self.is_kept(kind, name, version)
        ]
        if lacking:
            raise EnvctlError(
                "what is locked cannot be had any more", details="\n".join(lacking), hint=_MOVED
            )

    @contextmanager
    def _fetched(self, image: str, words: Sequence[str]) -> Iterator[Path]:
        """A folder with what a container script in the image left."""
        with tempfile.TemporaryDirectory(prefix="envctl-fetch-") as temporary:
            self._fetch(image, Path(temporary), words)
            yield Path(temporary)

    def _fetch(self, image: str, folder: Path, words: Sequence[str]) -> None:
        script = (files("envctl.lock") / "fetch.sh").read_text("utf-8")
        container_script = ContainerScript(
            script, tuple(words), network=True, bring=folder, timeout=_TIMEOUT
        )
        try:
            self._engine.run_script(image, container_script)
        except EnvctlError as error:
            raise EnvctlError(
                f"what is installed in {image} cannot be fetched",
                details=error.details or error.brief,
                hint=_MOVED,
            ) from error

    def _say(self, image: str, text: str) -> None:
        self._report(Progress("vendor", Stage.WORKING, f"{image}: fetching {text}"))


_MOVED: Final = (
    "if a mirror has a version no more, `envctl lock --update` moves the lock to those it has"
)
