"""Bootstraps a base from vendored packages: offline, with exactly the same packages."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from envctl.bases.bootstrap import bootstrap, rootfs_spec
from envctl.bases.image_store import Loader
from envctl.errors import EnvctlError
from envctl.lazy_dataclass import dataclass
from envctl.plan.model import Base
from envctl.progress import Report

SOURCES = "/etc/apt/sources.list"
"""The file in a bootstrapped base that lists its package sources."""

_PACKAGE: Final = re.compile(r"[a-z0-9][a-z0-9+.-]*[a-z0-9+.](:[a-z0-9-]*[a-z0-9])?")
"""The names that apt takes for packages to install. "a-" would remove one."""


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder of packages with an index for apt, as a source. The hashes of its files have been verified."""

    path: Path

    def line(self) -> str:
        return f"deb [trusted=yes] copy:{self.path} ./"


def bootstrap_kept(
    base: Base,
    folder: Path,
    *,
    packages: Sequence[str],
    sources: str,
    store: Loader,
    report: Report,
) -> str:
    """Make a base of the catalogue from the packages in a folder, with these lines as its sources; its image's id.

    All packages are requested by name: only a mirror's index knows which a base has by priority.

    EnvctlError if the catalogue does not have it, if a package's name is not valid (apt would take it for an
    option or a path), or with mmdebstrap's last lines if it fails.
    """
    strange = [name for name in packages if not _PACKAGE.fullmatch(name)]
    if strange:
        raise EnvctlError(
            f"the base {base.image} cannot be built from the vendored packages",
            details="\n".join(f"{name!r} is not a package name" for name in strange),
        )
    rootfs = rootfs_spec(base)
    if rootfs is None:
        raise EnvctlError(
            f"the base {base.image} is not in the catalogue, and its image is not vendored",
            hint="run `envctl lock --vendor` on a machine with network access",
        )
    (folder / "Release").write_text(_release(rootfs.entry.suite, folder / "Packages"), "utf-8")
    script = folder / "sources.sh"
    script.write_text(f'#!/bin/sh\nprintf %s {shlex.quote(sources)} >"$1{SOURCES}"\n', "utf-8")
    script.chmod(0o755)
    whole = replace(
        rootfs, sources=(_Folder(folder),), packages=tuple(packages), hooks=(str(script),)
    )
    return bootstrap(base, whole, store, report)


def _release(suite: str, packages: Path) -> str:
    """Return the Release file that names the suite: mmdebstrap looks for essential packages only in its own suite."""
    data = packages.read_bytes()
    listed = f" {hashlib.sha256(data).hexdigest()} {len(data)} Packages"
    return f"Suite: {suite}\nCodename: {suite}\nSHA256:\n{listed}\n"
