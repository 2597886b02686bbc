"""The lock: by base and by build, what was found in them when they were locked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Final, TypeAlias

from envctl.lazy_dataclass import dataclass

FILE: Final = "envctl.lock"
VERSION: Final = 1
PLATFORM: Final = "platform"
"""The word that the line of inputs begins with that names a platform."""

Versions: TypeAlias = Mapping[str, str]
"""Versions by name. Python's and npm's have a hash behind them: "3.1.3 sha256:…".

A package of npm's that is installed under another name has its own one before it: "npm:NAME@VERSION sha512-…".
"""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is installed in a root filesystem.

    `packages` are the distribution's; one of a foreign architecture is called NAME:ARCHITECTURE. `pip` is by
    virtual environment (or folder of packages), `npm` by folder.
    """

    packages: Versions = field(default_factory=dict)
    pip: Mapping[str, Versions] = field(default_factory=dict)
    npm: Mapping[str, Versions] = field(default_factory=dict)

    def items(self) -> Iterator[tuple[str, str, str]]:
        """All of it, sorted: (kind, name, version); the kind is "packages", "pip FOLDER" or "npm FOLDER"."""
        yield from (("packages", name, version) for name, version in sorted(self.packages.items()))
        for kind, folders in (("pip", self.pip), ("npm", self.npm)):
            for folder, versions in sorted(folders.items()):
                for name, version in sorted(versions.items()):
                    yield f"{kind} {folder}", name, version

    @property
    def digest(self) -> str:
        """One hash for all of it."""
        text = "".join(f"{kind}\t{name}\t{version}\n" for kind, name, version in self.items())
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class LockedBase:
    """A base: its image (a registry's digest, or the engine's id), its packages, the dated mirror if one is set.

    `box` is the checksum of the disk of the box that machines of this base alone start from, or "".
    """

    image: str
    packages: Versions
    snapshot: str = ""
    box: str = ""

    @property
    def manifest(self) -> str:
        """One hash for its packages."""
        return Manifest(self.packages).digest


@dataclass(frozen=True, slots=True)
class LockedBuild:
    """What units of equal builds are made from.

    `units` are ENVIRONMENT/SERVICE; `inputs` what of the spec decides on what is installed, a line each;
    `base` the name of the base's image, "" where that is not known; `image` is that of a ready image, or "".
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
        return next((rest for word, _, rest in lines if word == PLATFORM), "")


@dataclass(frozen=True, slots=True)
class Lock:
    """All that is locked; `architecture` is the one it was made on, in the distribution's words.

    `vendor` is a hash of the index of what is kept, or "": nothing else vouches for those files.
    """

    architecture: str = ""
    bases: Mapping[str, LockedBase] = field(default_factory=dict)
    builds: tuple[LockedBuild, ...] = ()
    vendor: str = ""

    def of(self, unit: str) -> LockedBuild | None:
        """The build of ENVIRONMENT/SERVICE, None if it is not locked."""
        return next((one for one in self.builds if unit in one.units), None)
