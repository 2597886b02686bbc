"""The syntax of package names and versions. They come from images and files, and end up in command lines. Pure.

A name that starts with a dash would be an option of some program; one with a space or line break would be two words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

# Debian, rpm and apk packages; apk has groups named .NAME.
_PACKAGE: Final = re.compile(r"[.]?[A-Za-z0-9][A-Za-z0-9+._-]*(:[A-Za-z0-9_-]+)?")
_PACKAGE_VERSION: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+:~^_-]*( [a-z-]+)?")
_PIP: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PIP_VERSION: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+!_~-]*( sha256:[0-9A-Za-z]+)?")
_NPM: Final = re.compile(r"(@[A-Za-z0-9~_][A-Za-z0-9._~-]*/)?[A-Za-z0-9~_][A-Za-z0-9._~-]*")
_NPM_PATH: Final = re.compile(r"[A-Za-z0-9@._~][A-Za-z0-9@._~+/-]*")
_NPM_VERSION: Final = re.compile(
    rf"(npm:{_NPM.pattern}@)?[0-9A-Za-z][0-9A-Za-z.+_~-]*( [a-z0-9]+-[A-Za-z0-9+/]+=*)*"
)
_INTEGRITY: Final = re.compile(r"sha512-[A-Za-z0-9+/]{86}==")
_IMAGE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]*")
_FOLDER: Final = re.compile(r"/[^\x00-\x1f\x7f-\x9f\u2028\u2029]*")

Rule = Callable[[str], object]

NAMES: Final[Mapping[str, Rule]] = {
    "packages": _PACKAGE.fullmatch,
    "pip": _PIP.fullmatch,
    "npm": _NPM_PATH.fullmatch,
}
"""By kind, names in a manifest; npm's are paths below node_modules."""

VERSIONS: Final[Mapping[str, Rule]] = {
    "packages": _PACKAGE_VERSION.fullmatch,
    "pip": _PIP_VERSION.fullmatch,
    "npm": _NPM_VERSION.fullmatch,
}
"""By kind, versions in a manifest, with an optional state or hash."""

VENDORED: Final[Mapping[str, tuple[Rule, Rule]]] = {
    "deb": (_PACKAGE.fullmatch, _PACKAGE_VERSION.fullmatch),
    "wheel": (_PIP.fullmatch, _PIP_VERSION.fullmatch),
    "npm": (_NPM.fullmatch, _INTEGRITY.fullmatch),
    "image": (_IMAGE.fullmatch, _IMAGE.fullmatch),
}
"""By kind, name and version of a vendored file."""


def is_npm_package(name: str) -> bool:
    """Whether npm would look the name up in its registry, instead of reading it as a path or address."""
    return _NPM.fullmatch(name) is not None


def is_folder(path: str) -> bool:
    """Whether the path is absolute and on one line."""
    return _FOLDER.fullmatch(path) is not None
