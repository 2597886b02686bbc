"""Parses the output of manifest.sh. Pure."""

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
_MAX_LINE: Final = 8192
"""The maximum length of a line from grep, in characters. Paths have at most half as many."""
_BUILT_HERE: Final = re.compile(r"Tag: \S+-linux_\w+")
"""The tag of a wheel for plain "linux". Such wheels are not published, so pip has built it from source."""


def parse_manifest(output: bytes, mark: str) -> tuple[str, Manifest]:
    """The architecture and all packages; `mark` is the script's argument. ValueError if the output is not valid."""
    sections = _sections(output, mark)
    # If a log is too long, the engine drops its beginning.
    if not output.startswith(f"{mark}:architecture\0".encode()) or "end" not in sections:
        raise ValueError("the output is truncated")
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
    manifest = Manifest(packages, dict(pip), npm)
    _check(manifest)
    return architecture, manifest


def _check(manifest: Manifest) -> None:
    """ValueError for an invalid name or version, which apt, pip or npm would misinterpret."""
    for where, name, version in manifest.items():
        kind, _, folder = where.partition(" ")
        if folder and not name_syntax.is_folder(folder):
            raise ValueError(f"{folder!r} is not a folder")
        if not name_syntax.NAMES[kind](name):
            raise ValueError(f"{name!r} is not a valid package name")
        if not name_syntax.VERSIONS[kind](version):
            raise ValueError(f"{version!r} is not a valid version of {name}")


def _sections(output: bytes, mark: str) -> Mapping[str, list[str]]:
    sections: dict[str, list[str]] = defaultdict(list)
    for part in output.decode("utf-8", "replace").split(f"{mark}:")[1:]:
        name, _, body = part.partition("\0")
        sections[name].append(body)
    return sections


def _packages(body: str, native: str) -> Iterator[tuple[str, str]]:
    for line in body.splitlines():
        name, *fields = line.split("\t")
        if len(fields) == 3:
            architecture, version, state = fields
            if state != "config-files":
                foreign = architecture not in (native, "all", "noarch", "(none)", "")
                broken = "" if state == "installed" else f" {state}"
                yield f"{name}:{architecture}" if foreign else name, version + broken
        elif name:
            # apk: NAME-VERSION-rRELEASE.
            package, _, release = name.rpartition("-")
            package, _, number = package.rpartition("-")
            yield package or name, f"{number}-{release}"


def _python(body: str) -> Iterator[tuple[str, str, str]]:
    head, _, record = body.partition("\n\n")
    folder, _, tags = head.partition("\n")
    match = _DIST.fullmatch(folder)
    # An interrupted pip leaves ~NAME behind, and ignores it later.
    if match and not match[2].startswith("~"):
        site, name, version = match.groups()
        venv = _VENV.fullmatch(site)
        normalized = re.sub(r"[-_.]+", "-", name).lower()
        digest = record_digest(record, built_here=bool(_BUILT_HERE.search(tags)))
        yield venv[1] if venv else site, normalized, f"{version} sha256:{digest}"


def record_digest(record: str, *, built_here: bool = False) -> str:
    """A hash of a Python package's own files, computed from the hashes in its RECORD.

    Files that the installer writes or that differ between installations are left out: metadata, programs in bin,
    compiled Python; and machine code if the package was built from source.
    """
    lines = []
    for line in record.splitlines():
        path, _, size = line.rpartition(",")
        path, _, file_hash = path.rpartition(",")
        left_out = ".dist-info/" in path or path.startswith("..") or not file_hash
        if not left_out and not (built_here and path.endswith(".so")):
            lines.append(f"{path},{file_hash},{size}")
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def _npm(body: str) -> tuple[str, Versions]:
    folder, _, listing = body.partition("\n")
    try:
        packages = json.loads(listing)["packages"]
    except (ValueError, KeyError, TypeError, RecursionError):
        # grep may list several matches of a file on one line; the package's own version comes first.
        return folder, dict(filter(None, map(_from_grep, reversed(listing.splitlines()))))
    if not isinstance(packages, dict):
        # The text is invalid, not a type; callers expect ValueError.
        raise ValueError(  # noqa: TRY004
            f"{folder}/node_modules/.package-lock.json has no packages by their paths"
        )
    return folder, {
        path.removeprefix("node_modules/"): _version(path, package)
        for path, package in packages.items()
        # The target of a link has its own entry.
        if path and isinstance(package, dict) and _has_texts(package)
    }


def _has_texts(package: Mapping[str, object]) -> bool:
    values = (package.get(key, "") for key in ("version", "integrity", "name"))
    return bool(package.get("version")) and all(isinstance(value, str) for value in values)


def _version(path: str, package: Mapping[str, str]) -> str:
    """Version and hash of a package, with its real name if it is installed under another name."""
    _, below, installed_as = path.rpartition("node_modules/")
    name = package.get("name") or installed_as
    version = (
        package["version"]
        if name == installed_as or not below
        else f"npm:{name}@{package['version']}"
    )
    return " ".join(filter(None, (version, package.get("integrity"))))


def _from_grep(line: str) -> tuple[str, str] | None:
    """Name and version of a package, from a line of grep in its package.json."""
    path, _, text = line[:_MAX_LINE].partition("/package.json:")
    _, below, name = path.rpartition("/node_modules/")
    match = _NPM_VERSION.match(text)
    return (name, match[1]) if below and name and match else None
