"""What pip and npm are asked for by name and version, as far as it is written plainly. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

# No part of it has what addresses are made of: they may have a password in them, and requirements are shown.
_REQUIREMENT: Final = re.compile(
    r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[A-Za-z0-9._,\s-]*\]\s*)?"
    r"(?:(==)\s*([A-Za-z0-9.!+_-]+)|(?:[<>]|[!=~]=)[A-Za-z0-9.*!+_<>=~,\s-]*)?"
)
_NUMBERS: Final = re.compile(r"[0-9]+(\.[0-9]+)*")
_EXACT: Final = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+")
_NPM_NAME: Final = re.compile(r"(@[A-Za-z0-9._~-]+/)?[A-Za-z0-9._~-]+")
_NPM_RANGE: Final = re.compile(r"[A-Za-z0-9.*+^~<>=| -]*")
_HIDDEN: Final = "…"


@dataclass(frozen=True, slots=True)
class Requirement:
    """A package that is asked for: as it is written, its name, and the one version it has to have, or ""."""

    text: str
    name: str
    pin: str = ""

    def is_met(self, version: str) -> bool | None:
        """Whether a version is the one that is asked for; None if any may be, or if nobody can tell.

        Only plain numbers, and what is spelt alike, are compared: of other versions there are many spellings.
        """
        plain = version.partition("+")[0]
        if not self.pin:
            return None
        if self.pin == version:
            return True
        if _NUMBERS.fullmatch(self.pin) and _NUMBERS.fullmatch(plain):
            return _numbers(self.pin) == _numbers(plain)
        return None


def normal(name: str) -> str:
    """A name as all of its spellings are (https://packaging.python.org/en/latest/specifications/name-normalization/)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pip_word(word: str) -> Requirement | None:
    """What a word or a line for pip asks for; None for a path, an address, an option, a condition."""
    match = _REQUIREMENT.fullmatch(word)
    return Requirement(word, match[1], match[3] or "") if match else None


def pip_lines(text: str) -> Iterator[Requirement]:
    """What the plain lines of a file of requirements ask for."""
    for line in text.replace("\\\n", " ").splitlines():
        found = pip_word(line.partition(" #")[0].partition(" --")[0].strip())
        if found is not None:
            yield found


def npm_dependencies(text: str) -> Iterator[Requirement]:
    """What a package.json asks for that is needed at run time, by name; where else it is from is not told."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return
    wanted = told.get("dependencies") if isinstance(told, dict) else None
    for name, version in sorted(wanted.items()) if isinstance(wanted, dict) else ():
        said = version if isinstance(version, str) else ""
        shown = said if _NPM_RANGE.fullmatch(said) else _HIDDEN
        if _NPM_NAME.fullmatch(name):
            pin = said if _EXACT.fullmatch(said) else ""
            yield Requirement(f"{name} {shown}".rstrip(), name, pin)


def _numbers(text: str) -> list[str]:
    found = [part.lstrip("0") for part in text.split(".")]
    while found and not found[-1]:
        found.pop()
    return found
