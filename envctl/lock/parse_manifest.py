"""What a root filesystem told of itself, as a manifest. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final

from envctl.lock import name_syntax
from envctl.lock.model import Manifest, Versions

_DIST: Final = re.compile(r"(.+)/([^/]+?)-([^/-]+)\.dist-info")
_VENV: Final = re.compile(r"(.+)/lib(?:64)?/python[\d.]+/site-packages")
_NPM_VERSION: Final = re.compile(r'"version"\s*:\s*"([^"]*)"')
_LONGEST: Final = 8192
"""Characters of a line that grep found; a path has no more than half of them."""
_MADE_HERE: Final = re.compile(r"Tag: \S+-linux_\w+")
"""Wheels for plain "linux" are not published: pip made it here, of a source."""


def manifest(told: bytes, mark: str) -> tuple[str, Manifest]:
    """The architecture, and what is installed; `mark` is what the script was given. ValueError if it was cut off."""
    sections = _sections(told, mark)
    # A log that is too long for the engine loses its beginning.
    if not told.startswith(f"{mark}:architecture\0".encode()) or "end" not in sections:
        raise ValueError("it was cut off")
    architecture = "".join(sections["architecture"]).strip()
    pip: dict[str, dict[str, str]] = defaultdict(dict)
    for body in sections["python"]:
        for folder, name, version in _python(body):
            pip[folder][name] = version
    npm: dict[str, Versions] = {}
    for body in sections["npm"]:
        folder, versions = _npm(body)
        if versions:
            npm[folder or "/"] = versions
    packages = dict(_packages("".join(sections["packages"]), architecture))
    found = Manifest(packages, dict(pip), npm)
    _check(found)
    return architecture, found


def _check(found: Manifest) -> None:
    """ValueError if something is called what no package is called: apt, pip or npm would take it for something else."""
    for where, name, version in found.items():
        kind, _, folder = where.partition(" ")
        if folder and not name_syntax.is_folder(folder):
            raise ValueError(f"{folder!r} is no folder")
        if not name_syntax.NAMES[kind](name):
            raise ValueError(f"{name!r} is no name of a package")
        if not name_syntax.VERSIONS[kind](version):
            raise ValueError(f"{version!r} is no version of {name}")


def _sections(told: bytes, mark: str) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for part in told.decode("utf-8", "replace").split(f"{mark}:")[1:]:
        name, _, body = part.partition("\0")
        found[name].append(body)
    return found


def _packages(body: str, own: str) -> Iterator[tuple[str, str]]:
    for line in body.splitlines():
        name, *rest = line.split("\t")
        if len(rest) == 3:
            architecture, version, state = rest
            if state != "config-files":
                foreign = architecture not in (own, "all", "noarch", "(none)", "")
                broken = "" if state == "installed" else f" {state}"
                yield f"{name}:{architecture}" if foreign else name, version + broken
        elif name:
            # As apk has it: NAME-VERSION-rRELEASE.
            package, _, release = name.rpartition("-")
            package, _, number = package.rpartition("-")
            yield package or name, f"{number}-{release}"


def _python(body: str) -> Iterator[tuple[str, str, str]]:
    head, _, record = body.partition("\n\n")
    folder, _, tags = head.partition("\n")
    match = _DIST.fullmatch(folder)
    # What pip left behind when it was cut off is called ~NAME, and pip sees no package in it either.
    if match and not match[2].startswith("~"):
        site, name, version = match.groups()
        venv = _VENV.fullmatch(site)
        shown = re.sub(r"[-_.]+", "-", name).lower()
        digest = record_digest(record, made_here=bool(_MADE_HERE.search(tags)))
        yield venv[1] if venv else site, shown, f"{version} sha256:{digest}"


def record_digest(record: str, *, made_here: bool = False) -> str:
    """A hash of a Python package's own files, made of the hashes in its RECORD.

    What the installer writes, and what differs from one installation to the next, is left out: metadata,
    programs in bin, compiled Python; of a package that was made here, of a source, machine code too.
    """
    lines = []
    for line in record.splitlines():
        path, _, rest = line.rpartition(",")
        path, _, hashed = path.rpartition(",")
        left_out = ".dist-info/" in path or path.startswith("..") or not hashed
        if not left_out and not (made_here and path.endswith(".so")):
            lines.append(f"{path},{hashed},{rest}")
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def _npm(body: str) -> tuple[str, Versions]:
    folder, _, said = body.partition("\n")
    try:
        packages = json.loads(said)["packages"]
    except (ValueError, KeyError, TypeError, RecursionError):
        # Of a file on one line there may be several; a package's own version stands first.
        return folder, dict(filter(None, map(_found, reversed(said.splitlines()))))
    if not isinstance(packages, dict):
        # What is wrong is the text; callers know that as ValueError.
        raise ValueError(  # noqa: TRY004
            f"{folder}/node_modules/.package-lock.json has no packages by their paths"
        )
    return folder, {
        path.removeprefix("node_modules/"): _version(path, package)
        for path, package in packages.items()
        # A link is told as what it leads to.
        if path and isinstance(package, dict) and _is_told(package)
    }


def _is_told(package: Mapping[str, object]) -> bool:
    told = (package.get(key, "") for key in ("version", "integrity", "name"))
    return bool(package.get("version")) and all(isinstance(one, str) for one in told)


def _version(path: str, package: Mapping[str, str]) -> str:
    """Version and hash of a package; behind its own name, if it is installed under another."""
    _, below, installed_as = path.rpartition("node_modules/")
    name = package.get("name") or installed_as
    version = (
        package["version"]
        if name == installed_as or not below
        else f"npm:{name}@{package['version']}"
    )
    return " ".join(filter(None, (version, package.get("integrity"))))


def _found(line: str) -> tuple[str, str] | None:
    """Name and version of a package, from a line that grep found in its package.json."""
    path, _, rest = line[:_LONGEST].partition("/package.json:")
    _, below, name = path.rpartition("/node_modules/")
    match = _NPM_VERSION.match(rest)
    return (name, match[1]) if below and name and match else None
