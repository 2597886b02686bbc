"""What a container script that fetched packages left in a folder: read with care, since an image may have left anything."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from envctl.errors import EnvctlError
from envctl.lazy_dataclass import dataclass
from envctl.lock.vendor import control_fields

_MOST: Final = 1 << 20
"""Bytes of what a package says of itself at most."""


@dataclass(frozen=True, slots=True)
class Deb:
    """A package of Debian's in a file; `depends` is the first package that it depends on, or ""."""

    file: Path
    control: str
    name: str
    version: str
    architecture: str
    depends: str


def left(folder: Path) -> Sequence[Deb]:
    """The packages of Debian's. EnvctlError if one does not say what it is, or is there twice."""
    found: dict[tuple[str, str, str], Deb] = {}
    for file in sorted(folder.glob("*.deb")):
        deb = _deb(file)
        key = (deb.name, deb.version, deb.architecture)
        if key in found:
            raise EnvctlError(f"{file.name} and {found[key].file.name} are the same package")
        found[key] = deb
    return list(found.values())


def wheels(folder: Path) -> Mapping[tuple[str, str], Path]:
    """Wheels by name, as pip normalizes it, and version. EnvctlError if one is called otherwise, or is there twice."""
    found: dict[tuple[str, str], Path] = {}
    for file in sorted(folder.glob("*.whl")):
        name, _, rest = file.name.partition("-")
        version, more, _ = rest.partition("-")
        if not (name and version and more):
            raise EnvctlError(f"{file.name!r} is not called as a wheel is")
        key = (re.sub(r"[-_.]+", "-", name).lower(), version)
        if key in found:
            raise EnvctlError(f"{file.name} and {found[key].name} are the same package")
        found[key] = file
    return found


def same_version(one: str, other: str) -> bool:
    """Whether two versions of Python's packages are one: names of files have _ where the version has -, say."""
    return _plain(one) == _plain(other)


def _plain(version: str) -> str:
    return re.sub(r"[-_]+", "_", version).lower()


def _deb(file: Path) -> Deb:
    path = file.with_name(f"{file.name}.control")
    try:
        with path.open("rb") as source:
            data = source.read(_MOST + 1)
        control = data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise EnvctlError(f"{file.name!r} does not say what it is: {error}") from error
    told = control_fields(control)
    lacking = [key for key in ("Package", "Version", "Architecture") if not told.get(key)]
    if lacking or len(data) > _MOST:
        what = f"no {lacking[0]}" if lacking else f"more than {_MOST} bytes"
        raise EnvctlError(f"{file.name!r} does not say what it is: there is {what}")
    first = re.match(r"[a-z0-9][a-z0-9+.-]*", told.get("Depends", ""))
    name, version, architecture = told["Package"], told["Version"], told["Architecture"]
    return Deb(file, control, name, version, architecture, first[0] if first else "")
