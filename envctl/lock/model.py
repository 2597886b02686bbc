"""The lock: the installed packages of every base and every build."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Final, TypeAlias

from envctl.lazy_dataclass import dataclass

FILE: Final = "envctl.lock"
VERSION: Final = 2
PLATFORM: Final = "platform"
"""The first word of the input line that names a platform."""

Versions: TypeAlias = Mapping[str, str]
"""Versions by name. Python and npm packages have a hash after the version: "3.1.3 sha256:…".

An npm package installed under another name has its real name before the version: "npm:NAME@VERSION sha512-…".
"""


@dataclass(frozen=True, slots=True)
class Manifest:
    """All packages installed in a root filesystem.

    `packages` are the distribution's; those of a foreign architecture are named NAME:ARCHITECTURE. `pip` is by
    virtual environment (or folder of packages), `npm` by folder.
    """

    packages: Versions = field(default_factory=dict)
    pip: Mapping[str, Versions] = field(default_factory=dict)
    npm: Mapping[str, Versions] = field(default_factory=dict)

    def items(self) -> Iterator[tuple[str, str, str]]:
        """All packages, sorted: (kind, name, version); the kind is "packages", "pip FOLDER" or "npm FOLDER"."""
        yield from (("packages", name, version) for name, version in sorted(self.packages.items()))
        for kind, folders in (("pip", self.pip), ("npm", self.npm)):
            for folder, versions in sorted(folders.items()):
                for name, version in sorted(versions.items()):
                    yield f"{kind} {folder}", name, version

    @property
    def digest(self) -> str:
        """A hash of all names and versions."""
        text = "".join(f"{kind}\t{name}\t{version}\n" for kind, name, version in self.items())
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def beyond(packages: Versions, base: Versions) -> Versions:
    """The packages that a base does not have in the same version."""
    return {name: version for name, version in packages.items() if base.get(name) != version}


@dataclass(frozen=True, slots=True)
class LockedBase:
    """A base: its image (registry digest, or the engine's id), its packages, and its mirror snapshot, if any.

    `box` is the disk checksum of the box that machines of this base start from, or "".
    """

    image: str
    packages: Versions
    snapshot: str = ""
    box: str = ""

    @property
    def manifest(self) -> Manifest:
        """Its packages, as of a build without others."""
        return Manifest(self.packages)


@dataclass(frozen=True, slots=True)
class LockedBuild:
    """The contents of equal builds.

    `units` are ENVIRONMENT/SERVICE. `inputs` are the inputs in the spec that affect what is installed, one per line.
    `base` is the image name of the base, "" if unknown. `image` identifies a ready image, or is "".
    """

    units: tuple[str, ...]
    inputs: tuple[str, ...]
    manifest: Manifest
    base: str = ""
    image: str = ""

    @property
    def platform(self) -> str:
        """The platform that the spec asks for, "" for the engine's own."""
        lines = (line.partition(" ") for line in self.inputs)
        return next((platform for word, _, platform in lines if word == PLATFORM), "")


@dataclass(frozen=True, slots=True)
class Lock:
    """A whole lock. `architecture` is that of the images, by the distribution's name ("amd64"), "" if unknown.

    `vendor` is the digest of the index of vendored files, or "". Only this digest authenticates those files.
    """

    architecture: str = ""
    bases: Mapping[str, LockedBase] = field(default_factory=dict)
    builds: tuple[LockedBuild, ...] = ()
    vendor: str = ""

    def of(self, unit: str) -> LockedBuild | None:
        """The build of ENVIRONMENT/SERVICE; None if it is not locked."""
        return next((build for build in self.builds if unit in build.units), None)
