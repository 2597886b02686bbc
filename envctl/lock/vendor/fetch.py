"""Fetches locked packages into the store, with the tools and sources of the images that contain them."""

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
from envctl.lock.model import Manifest, Versions, beyond
from envctl.lock.vendor.debs import is_same_version, read_debs, read_wheels
from envctl.lock.vendor.pins import npm_packages, wheel_versions
from envctl.lock.vendor.store import DEB, IMAGE, NPM, WHEEL, Store
from envctl.progress import Progress, Report, Stage

_TIMEOUT: Final = 3600.0


class Fetcher:
    """Stores locked packages, and fetches missing ones."""

    def __init__(self, engine: ImageEngine, store: Store, report: Report) -> None:
        self._engine = engine
        self._store = store
        self._report = report

    def fetch_all(self, image: str, manifest: Manifest, *, but: Versions) -> None:
        """Store all packages of an image, except those that are already stored with its base."""
        self.fetch_debs(image, beyond(manifest.packages, but))
        for venv, versions in manifest.pip.items():
            self._wheels(image, venv, versions)
        self._npm(image, manifest)

    def fetch_debs(self, image: str, packages: Versions) -> None:
        """Store packages of the distribution. EnvctlError if the mirror no longer has one."""
        missing = self._missing(DEB, packages)
        if not missing:
            return
        self._report_fetch(image, f"{len(missing)} packages")
        words = sorted(f"{name}={version.partition(' ')[0]}" for name, version in missing.items())
        with self._fetched(image, ("deb", *words)) as folder:
            for deb in read_debs(folder):
                for name in (f"{deb.name}:{deb.architecture}", deb.name):
                    # Store only packages that were requested, whatever name a file claims.
                    if missing.get(name, "").partition(" ")[0] == deb.version:
                        version = missing[name]
                        self._store.keep(deb.file, DEB, name, version, control=deb.control)
                        break
        self._require_kept(DEB, missing.items())

    def download_debs(self, image: str, names: Sequence[str]) -> Versions:
        """Store packages that are not installed in an image, in its mirror's version; their versions by name."""
        if not names:
            return {}
        self._report_fetch(image, " ".join(names))
        versions: dict[str, str] = {}
        with self._fetched(image, ("first", *names)) as folder:
            debs = {deb.name: deb for deb in read_debs(folder)}
            requested = [name for name in names if name in debs]
            firsts = [first for name in requested if (first := debs[name].depends) in debs]
            for name in dict.fromkeys((*requested, *firsts)):
                deb = debs[name]
                self._store.keep(deb.file, DEB, name, deb.version, control=deb.control)
                versions[name] = deb.version
        missing = sorted({*names} - {*versions})
        if missing:
            raise EnvctlError(f"{image} did not fetch {', '.join(missing)}", hint=_UPDATE_HINT)
        return versions

    def save_image(self, name: str, version: str) -> None:
        """Store a whole image: a ready one, or one from a Dockerfile."""
        image_id = self._engine.images.find(name) or ""
        stored = self._store.find(IMAGE, name, version)
        if any(file.image == image_id and self._store.has(file) for file in stored):
            return
        self._report_fetch(name, "the image")
        with tempfile.TemporaryDirectory(prefix="envctl-fetch-") as temporary:
            file = Path(temporary) / "image.tar"
            self._engine.save(name, file)
            self._store.keep(file, IMAGE, name, version, image=image_id)

    def is_kept(self, kind: str, name: str, version: str) -> bool:
        """Whether a file of that version exists. The index may list a file that was deleted."""
        return any(self._store.has(file) for file in self._store.find(kind, name, version))

    # --- parts

    def _missing(self, kind: str, versions: Versions) -> Versions:
        """The packages that have no file in the store."""
        return {
            name: version
            for name, version in versions.items()
            if not self.is_kept(kind, name, version)
        }

    def _wheels(self, image: str, venv: str, versions: Versions) -> None:
        missing = self._missing(WHEEL, wheel_versions(versions))
        if not missing:
            return
        self._report_fetch(image, f"{len(missing)} wheels of {venv}")
        python = f"{venv}/bin/python" if not venv.endswith("-packages") else "python3"
        words = sorted(f"{name}=={version}" for name, version in missing.items())
        with self._fetched(image, ("wheel", python, *words)) as folder:
            for (name, version), file in read_wheels(folder).items():
                if is_same_version(missing.get(name, ""), version):
                    self._store.keep(file, WHEEL, name, missing[name])
        self._require_kept(WHEEL, missing.items())

    def _npm(self, image: str, manifest: Manifest) -> None:
        missing = {
            integrity: package
            for integrity, package in npm_packages(manifest).items()
            if not self.is_kept(NPM, package[0], integrity)
        }
        if not missing:
            return
        self._report_fetch(image, f"{len(missing)} packages of npm")
        words = sorted({f"{name}@{version}" for name, version in missing.values()})
        with self._fetched(image, ("npm", *words)) as folder:
            for file in sorted(folder.iterdir()):
                with file.open("rb") as content:
                    digest = hashlib.file_digest(content, "sha512").digest()
                integrity = f"sha512-{base64.b64encode(digest).decode()}"
                if integrity in missing:
                    self._store.keep(file, NPM, missing[integrity][0], integrity)
        self._require_kept(NPM, [(name, integrity) for integrity, (name, _) in missing.items()])

    def _require_kept(self, kind: str, packages: Iterable[tuple[str, str]]) -> None:
        missing = [
            f"{name} {version}"
            for name, version in sorted(packages)
            if not self.is_kept(kind, name, version)
        ]
        if missing:
            raise EnvctlError(
                "locked packages are no longer available",
                details="\n".join(missing),
                hint=_UPDATE_HINT,
            )

    @contextmanager
    def _fetched(self, image: str, words: Sequence[str]) -> Iterator[Path]:
        """A folder with the files that a script in the image has fetched."""
        with tempfile.TemporaryDirectory(prefix="envctl-fetch-") as temporary:
            self._fetch(image, Path(temporary), words)
            yield Path(temporary)

    def _fetch(self, image: str, folder: Path, words: Sequence[str]) -> None:
        script = (files("envctl.lock.vendor") / "fetch.sh").read_text("utf-8")
        container_script = ContainerScript(
            script, tuple(words), network=True, bring=folder, timeout=_TIMEOUT
        )
        try:
            self._engine.run_script(image, container_script)
        except EnvctlError as error:
            raise EnvctlError(
                f"the packages installed in {image} cannot be fetched",
                details=error.details or error.brief,
                hint=_UPDATE_HINT,
            ) from error

    def _report_fetch(self, image: str, text: str) -> None:
        self._report(Progress("vendor", Stage.WORKING, f"{image}: fetching {text}"))


_UPDATE_HINT: Final = (
    "if a mirror no longer has a version, `envctl lock --update` locks the versions it has"
)
