"""Fetching what is locked into the store, with the tools and the sources of the images that have it installed."""

from __future__ import annotations

import base64
import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Final

from envctl.backends.base import Errand, ImageSource
from envctl.errors import EnvctlError
from envctl.lock.model import Manifest, Versions
from envctl.lock.supplying import TOOLS, integrities
from envctl.lock.vendor import DEB, IMAGE, NPM, WHEEL, Store, control_fields
from envctl.plan.progress import Progress, Report, Stage

_TIMEOUT: Final = 3600.0


class Fetcher:
    """Has what is locked in the store, and fetches what is not there yet."""

    def __init__(self, engine: ImageSource, store: Store, report: Report) -> None:
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
        wanted = [
            f"{name}={version}"
            for name, version in sorted(packages.items())
            if not self._is_kept(DEB, name, version)
        ]
        if not wanted:
            return
        self._say(image, f"{len(wanted)} packages")
        self._debs(image, ("deb", *wanted), packages)
        self._insist(DEB, packages)

    def downloads(self, image: str, names: Sequence[str]) -> Versions:
        """Keep packages that are not installed in an image, in the version that its mirror has; their versions."""
        if not names:
            return {}
        self._say(image, " ".join(names))
        return self._debs(image, ("first", *names), {})

    def image(self, name: str, identity: str) -> None:
        """Keep an image as it is: one that is ready, or made by a recipe that envctl does not know."""
        if self._is_kept(IMAGE, name, identity):
            return
        self._say(name, "the image")
        with tempfile.TemporaryDirectory(prefix="envctl-fetch-") as temporary:
            file = Path(temporary) / "image.tar"
            self._engine.save(name, file)
            known = self._engine.images.find(name) or ""
            self._store.keep(file, IMAGE, name, identity, image=known)

    # --- parts

    def _debs(self, image: str, words: Sequence[str], packages: Versions) -> Versions:
        found: dict[str, str] = {}
        with tempfile.TemporaryDirectory(prefix="envctl-fetch-") as temporary:
            folder = Path(temporary)
            self._fetch(image, folder, words)
            for file in sorted(folder.glob("*.deb")):
                control = file.with_name(f"{file.name}.control").read_text("utf-8")
                told = control_fields(control)
                name, version = told["Package"], told["Version"]
                foreign = f"{name}:{told['Architecture']}"
                known = foreign if packages.get(foreign) == version else name
                self._store.keep(file, DEB, known, version, control=control)
                found[known] = version
        return found

    def _wheels(self, image: str, venv: str, versions: Versions) -> None:
        plain = {name: version.partition(" ")[0] for name, version in versions.items()}
        wanted = [
            f"{name}=={version}"
            for name, version in sorted(plain.items())
            if name not in TOOLS and not self._is_kept(WHEEL, name, version)
        ]
        if not wanted:
            return
        self._say(image, f"{len(wanted)} wheels of {venv}")
        python = f"{venv}/bin/python" if not venv.endswith("-packages") else "python3"
        with tempfile.TemporaryDirectory(prefix="envctl-fetch-") as temporary:
            folder = Path(temporary)
            self._fetch(image, folder, ("wheel", python, *wanted))
            for file in sorted(folder.glob("*.whl")):
                name, version, *_ = file.name.split("-")
                known = name.lower().replace("_", "-").replace(".", "-")
                self._store.keep(file, WHEEL, known, version)
        self._insist(WHEEL, {name: plain[name] for name in plain if name not in TOOLS})

    def _npm(self, image: str, manifest: Manifest) -> None:
        wanted = {
            integrity: package
            for integrity, package in integrities(manifest).items()
            if not self._is_kept(NPM, package.rpartition("@")[0], integrity)
        }
        if not wanted:
            return
        self._say(image, f"{len(wanted)} packages of npm")
        with tempfile.TemporaryDirectory(prefix="envctl-fetch-") as temporary:
            folder = Path(temporary)
            self._fetch(image, folder, ("npm", *sorted(set(wanted.values()))))
            for file in sorted(folder.iterdir()):
                digest = hashlib.sha512(file.read_bytes()).digest()
                integrity = f"sha512-{base64.b64encode(digest).decode()}"
                if integrity in wanted:
                    name = wanted[integrity].rpartition("@")[0]
                    self._store.keep(file, NPM, name, integrity)
        self._insist(NPM, {one.rpartition("@")[0]: key for key, one in wanted.items()})

    def _is_kept(self, kind: str, name: str, version: str) -> bool:
        return any(self._store.has(one) for one in self._store.find(kind, name, version))

    def _insist(self, kind: str, wanted: Mapping[str, str]) -> None:
        lacking = [
            f"{name} {version}"
            for name, version in sorted(wanted.items())
            if not self._is_kept(kind, name, version)
        ]
        if lacking:
            raise EnvctlError(
                "what is locked cannot be had any more", details="\n".join(lacking), hint=_MOVED
            )

    def _fetch(self, image: str, folder: Path, words: Sequence[str]) -> None:
        script = (files("envctl.lock") / "fetch.sh").read_text("utf-8")
        errand = Errand(script, tuple(words), network=True, bring=folder, timeout=_TIMEOUT)
        try:
            self._engine.run_errand(image, errand)
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
