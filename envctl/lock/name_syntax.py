"""What names and versions look like: they come from images and files, and go to command lines and settings. Pure.

A name that begins with a dash is an option to some program, and one with a space or a line's end is two words to another.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

# Of Debian's, rpm's and apk's packages; apk has groups that are called .NAME.
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
"""How names are written in a manifest, by kind; npm's are paths below node_modules."""

VERSIONS: Final[Mapping[str, Rule]] = {
    "packages": _PACKAGE_VERSION.fullmatch,
    "pip": _PIP_VERSION.fullmatch,
    "npm": _NPM_VERSION.fullmatch,
}
"""How versions are written in a manifest, by kind, with the state or the hash that may be behind them."""

KEPT: Final[Mapping[str, tuple[Rule, Rule]]] = {
    "deb": (_PACKAGE.fullmatch, _PACKAGE_VERSION.fullmatch),
    "wheel": (_PIP.fullmatch, _PIP_VERSION.fullmatch),
    "npm": (_NPM.fullmatch, _INTEGRITY.fullmatch),
    "image": (_IMAGE.fullmatch, _IMAGE.fullmatch),
}
"""How name and version of a kept file are written, by its kind."""


def is_npm_package(name: str) -> bool:
    """Whether npm takes it for the name of a package in its registry, and for no path or address."""
    return _NPM.fullmatch(name) is not None


def is_folder(path: str) -> bool:
    """Whether it is a path from the root in one line."""
    return _FOLDER.fullmatch(path) is not None
