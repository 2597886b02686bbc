"""The packages of a Debian-like root filesystem, with their versions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping


def parse_status(text: str) -> dict[str, str]:
    """Return the installed packages in dpkg's status file, with their versions."""
    packages: dict[str, str] = {}
    for stanza in text.split("\n\n"):
        fields = dict(_fields(stanza.splitlines()))
        if fields.get("Status", "").endswith(" installed") and "Package" in fields:
            packages[fields["Package"]] = fields.get("Version", "")
    return dict(sorted(packages.items()))


def _fields(lines: Iterable[str]) -> Iterable[tuple[str, str]]:
    for line in lines:
        if line and not line[0].isspace():
            name, _, value = line.partition(":")
            yield name, value.strip()


def digest(packages: Mapping[str, str]) -> str:
    """One hash for a set of packages with their versions, in any order."""
    lines = "".join(f"{name} {version}\n" for name, version in sorted(packages.items()))
    return "sha256:" + hashlib.sha256(lines.encode()).hexdigest()
