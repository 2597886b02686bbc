"""The inputs of a build that must match the lock: pinned versions, or vendored files."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Final

from envctl.backends.common.build_inputs import BuildInputs
from envctl.errors import EnvctlError
from envctl.lock import name_syntax
from envctl.lock.model import Manifest, Versions, beyond
from envctl.lock.vendor.folder import FOLDER
from envctl.lock.vendor.store import DEB, NPM, WHEEL, Store, VendoredFile, packages_text
from envctl.plan.model import Build, InstallPackages

_APT: Final = 'Dir::Etc::Preferences "/media/preferences";\n'
_PYTHON_TOOLS: Final = frozenset(("pip", "setuptools", "wheel"))
"""These come with Python. Constraints on them would also apply to the environments in which pip builds packages."""


_OFFLINE: Final = """\
Dir::Etc::SourceList "/media/sources.list";
Dir::Etc::SourceParts "/dev/null";
"""
_SOURCE: Final = "deb [trusted=yes] file:/media/debs ./\n"


def pins(manifest: Manifest, *, but: Collection[str] = ()) -> BuildInputs:
    """Settings for apt and pip to install the versions of a manifest while they are available.

    `but` are Python packages that may have any version.
    """
    preferences = "\n".join(_preferences(manifest))
    constraints = "".join(
        f"{name}=={version}\n" for name, version in _constraints(manifest) if name not in but
    )
    return BuildInputs(
        {"apt.conf": _APT, "preferences": preferences, "constraints.txt": constraints},
        {"APT_CONFIG": "/media/apt.conf", "PIP_CONSTRAINT": "/media/constraints.txt"},
    )


def _preferences(manifest: Manifest) -> Iterator[str]:
    for name, version in sorted(manifest.packages.items()):
        # From priority 1000 on, apt also downgrades installed packages.
        yield f"Package: {name}\nPin: version {version.partition(' ')[0]}\nPin-Priority: 1001\n"


def _constraints(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """Name and version of each package that has a single version in all folders, because constraints are global."""
    by_name: dict[str, set[str]] = {}
    for versions in manifest.pip.values():
        for name, version in versions.items():
            by_name.setdefault(name, set()).add(version.partition(" ")[0])
    for name, numbers in sorted(by_name.items()):
        if len(numbers) == 1 and name not in _PYTHON_TOOLS:
            yield name, numbers.pop()


def vendored_inputs(manifest: Manifest, store: Store, *, but: Versions) -> BuildInputs:
    """The files of a manifest, except those of its base (`but`), and settings that forbid all others.

    EnvctlError if a file is missing or has changed.
    """
    debs = vendored_debs(store, beyond(manifest.packages, but))
    files: dict[str, str | Path] = {
        "apt.conf": _OFFLINE,
        "sources.list": _SOURCE,
        "debs/Packages": packages_text(debs),
        **{f"debs/{deb.file}": store.path(deb) for deb in debs},
    }
    env = {"APT_CONFIG": "/media/apt.conf", "PIP_NO_INDEX": "1", "NPM_CONFIG_OFFLINE": "true"}
    for versions in manifest.pip.values():
        for wheel in _vendored(store, WHEEL, wheel_versions(versions)):
            files[f"wheels/{wheel.file}"] = store.path(wheel)
            env["PIP_FIND_LINKS"] = "/media/wheels"
    for integrity, (name, _) in npm_packages(manifest).items():
        for archive in _vendored(store, NPM, {name: integrity}):
            files[f"npm/{_npm_cache_path(integrity)}"] = store.path(archive)
    return BuildInputs(files, env, offline=True)


def vendored_debs(store: Store, packages: Versions) -> Sequence[VendoredFile]:
    """The files of some Debian packages. EnvctlError, naming them, if any are missing."""
    return _vendored(store, DEB, packages)


def _vendored(store: Store, kind: str, versions: Versions) -> Sequence[VendoredFile]:
    files: list[VendoredFile] = []
    missing: list[str] = []
    for name, version in sorted(versions.items()):
        matches = store.find(kind, name, version)
        files += matches
        if not matches:
            missing.append(f"{name} {version}")
    if missing:
        raise EnvctlError(
            f"locked packages are missing in {FOLDER}",
            details="\n".join(missing),
            hint="run `envctl lock --vendor` on a machine with network access",
        )
    return files


def wheel_versions(versions: Versions) -> Versions:
    """The Python packages whose wheels are vendored: versions without hashes, by name."""
    return {
        name: version.partition(" ")[0]
        for name, version in versions.items()
        if name not in _PYTHON_TOOLS
    }


def extra_build_key(build: Build, below: Manifest) -> str:
    """The key of a backend's additional build in the index: the manifest below it, and the requested packages."""
    names = (step.names for step in build.steps if isinstance(step, InstallPackages))
    return " ".join((below.digest, *sorted(chain.from_iterable(names))))


def npm_packages(manifest: Manifest) -> Mapping[str, tuple[str, str]]:
    """Name and version of every npm package, by the hash of its file; packages without a hash are left out."""
    packages: dict[str, tuple[str, str]] = {}
    for versions in manifest.npm.values():
        for path, text in versions.items():
            version, _, integrity = text.partition(" ")
            alias_of, _, number = version.removeprefix("npm:").rpartition("@")
            name = alias_of or path.rpartition("node_modules/")[2]
            if integrity.startswith("sha512-") and name_syntax.is_npm_package(name):
                packages[integrity] = name, number
    return packages


def _npm_cache_path(integrity: str) -> str:
    """The path in npm's cache of the file with that hash."""
    try:
        digest = base64.b64decode(integrity.removeprefix("sha512-"), validate=True).hex()
    except binascii.Error as error:
        raise EnvctlError(f"{integrity!r} is not a valid npm integrity hash") from error
    return f"_cacache/content-v2/sha512/{digest[:2]}/{digest[2:4]}/{digest[4:]}"
