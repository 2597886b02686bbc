"""What a build that is to come out as it is locked is given: versions to keep to, or the very files."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Final

from envctl.backends.common.build_inputs import BuildInputs
from envctl.errors import EnvctlError
from envctl.lock import name_syntax
from envctl.lock.folder import FOLDER
from envctl.lock.model import Manifest, Versions
from envctl.lock.vendor import DEB, NPM, WHEEL, Kept, Store, packages_text
from envctl.plan.model import Build, InstallPackages

_APT: Final = 'Dir::Etc::Preferences "/media/preferences";\n'
TOOLS: Final = frozenset(("pip", "setuptools", "wheel"))
"""Come with Python itself. Held here they would be held in the rooms where pip builds packages, too."""


_OFFLINE: Final = """\
Dir::Etc::SourceList "/media/sources.list";
Dir::Etc::SourceParts "/dev/null";
"""
_SOURCE: Final = "deb [trusted=yes] file:/media/debs ./\n"


def pins(manifest: Manifest, *, but: Collection[str] = ()) -> BuildInputs:
    """Settings by which apt and pip take the versions of a manifest, where they are still to be had.

    `but` are packages of Python that may have any.
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
        # A version that is older than what is there is taken from 1000 on.
        yield f"Package: {name}\nPin: version {version.partition(' ')[0]}\nPin-Priority: 1001\n"


def _constraints(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """A version of each package that has the same one wherever it is."""
    found: dict[str, set[str]] = {}
    for versions in manifest.pip.values():
        for name, version in versions.items():
            found.setdefault(name, set()).add(version.partition(" ")[0])
    for name, one in sorted(found.items()):
        if len(one) == 1 and name not in TOOLS:
            yield name, one.pop()


def kept_files(manifest: Manifest, store: Store, *, but: Versions) -> BuildInputs:
    """The very files of a manifest, but for packages that its base has, and settings to take no others.

    EnvctlError if one of them is not kept, or is not what was kept.
    """
    packages = {name: one for name, one in manifest.packages.items() if but.get(name) != one}
    debs = list(_kept(store, DEB, packages))
    files: dict[str, str | Path] = {
        "apt.conf": _OFFLINE,
        "sources.list": _SOURCE,
        "debs/Packages": packages_text(debs),
        **{f"debs/{one.file}": store.path(one) for one in debs},
    }
    env = {"APT_CONFIG": "/media/apt.conf", "PIP_NO_INDEX": "1", "NPM_CONFIG_OFFLINE": "true"}
    for versions in manifest.pip.values():
        plain = {name: one.partition(" ")[0] for name, one in versions.items() if name not in TOOLS}
        for one in _kept(store, WHEEL, plain):
            files[f"wheels/{one.file}"] = store.path(one)
            env["PIP_FIND_LINKS"] = "/media/wheels"
    for integrity, package in integrities(manifest).items():
        for one in _kept(store, NPM, {package.rpartition("@")[0]: integrity}):
            files[f"npm/{_cache_path(integrity)}"] = store.path(one)
    return BuildInputs(files, env, offline=True)


def _kept(store: Store, kind: str, versions: Versions) -> Iterator[Kept]:
    lacking = []
    for name, version in sorted(versions.items()):
        found = store.find(kind, name, version)
        if not found:
            lacking.append(f"{name} {version}")
        yield from found
    if lacking:
        raise EnvctlError(
            f"what is locked is not all in {FOLDER}",
            details="\n".join(lacking),
            hint="`envctl lock --vendor`, where there is a network, fetches what is missing",
        )


def beside_key(build: Build, below: Manifest) -> str:
    """What the index knows the packages by that a backend's build adds to what is below it: what it asks for, on what."""
    asked = (step.names for step in build.steps if isinstance(step, InstallPackages))
    return " ".join((below.digest, *sorted(chain.from_iterable(asked))))


def integrities(manifest: Manifest) -> Mapping[str, str]:
    """By the hash of its file, each package of npm as NAME@VERSION; those without a hash are left out."""
    found: dict[str, str] = {}
    for versions in manifest.npm.values():
        for path, told in versions.items():
            version, _, integrity = told.partition(" ")
            own, _, number = version.removeprefix("npm:").rpartition("@")
            name = own or path.rpartition("node_modules/")[2]
            if integrity.startswith("sha512-") and name_syntax.is_npm_package(name):
                found[integrity] = f"{name}@{number}"
    return found


def _cache_path(integrity: str) -> str:
    """Where npm looks for a file of that hash in its cache."""
    try:
        digest = base64.b64decode(integrity.removeprefix("sha512-"), validate=True).hex()
    except binascii.Error as error:
        raise EnvctlError(f"{integrity!r} is no hash of npm's") from error
    return f"_cacache/content-v2/sha512/{digest[:2]}/{digest[2:4]}/{digest[4:]}"
