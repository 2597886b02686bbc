"""Reads fetched package files. An image wrote them, so they may contain anything."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from envctl.errors import EnvctlError
from envctl.lazy_dataclass import dataclass
from envctl.lock.vendor.store import control_fields

_MAX_CONTROL: Final = 1 << 20
"""The maximum size of a package's control data, in bytes."""


@dataclass(frozen=True, slots=True)
class Deb:
    """A Debian package in a file; `depends` is the first package it depends on, or ""."""

    file: Path
    control: str
    name: str
    version: str
    architecture: str
    depends: str


def read_debs(folder: Path) -> Sequence[Deb]:
    """The Debian packages in a folder. EnvctlError if one has no valid control data or appears twice."""
    packages: dict[tuple[str, str, str], Deb] = {}
    for file in sorted(folder.glob("*.deb")):
        deb = _deb(file)
        key = (deb.name, deb.version, deb.architecture)
        if key in packages:
            raise EnvctlError(f"{file.name} and {packages[key].file.name} are the same package")
        packages[key] = deb
    return list(packages.values())


def read_wheels(folder: Path) -> Mapping[tuple[str, str], Path]:
    """Wheels by normalized name and version. EnvctlError if a file name is not valid or a wheel appears twice."""
    packages: dict[tuple[str, str], Path] = {}
    for file in sorted(folder.glob("*.whl")):
        name, _, tail = file.name.partition("-")
        version, more, _ = tail.partition("-")
        if not (name and version and more):
            raise EnvctlError(f"{file.name!r} is not a valid wheel name")
        key = (re.sub(r"[-_.]+", "-", name).lower(), version)
        if key in packages:
            raise EnvctlError(f"{file.name} and {packages[key].name} are the same package")
        packages[key] = file
    return packages


def is_same_version(first: str, second: str) -> bool:
    """Whether two versions of a Python package are equal; file names have "_" where versions may have "-"."""
    return _normal(first) == _normal(second)


def _normal(version: str) -> str:
    return re.sub(r"[-_]+", "_", version).lower()


def _deb(file: Path) -> Deb:
    path = file.with_name(f"{file.name}.control")
    try:
        with path.open("rb") as source:
            data = source.read(_MAX_CONTROL + 1)
        control = data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise EnvctlError(f"{file.name!r} has no valid control data: {error}") from error
    fields = control_fields(control)
    missing = [key for key in ("Package", "Version", "Architecture") if not fields.get(key)]
    if missing or len(data) > _MAX_CONTROL:
        reason = f"no {missing[0]}" if missing else f"more than {_MAX_CONTROL} bytes"
        raise EnvctlError(f"{file.name!r} has no valid control data: {reason}")
    first = re.match(r"[a-z0-9][a-z0-9+.-]*", fields.get("Depends", ""))
    name, version, architecture = fields["Package"], fields["Version"], fields["Architecture"]
    return Deb(file, control, name, version, architecture, first[0] if first else "")
