"""Plain requirements of pip and npm: name and version. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

from packaging import requirements, utils
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from envctl.lazy_dataclass import dataclass

_LONGEST: Final = 1000
"""Characters of a line that may be a requirement."""
_EXACT: Final = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+")
_NPM_NAME: Final = re.compile(r"(@[A-Za-z0-9._~-]+/)?[A-Za-z0-9._~-]+")
_NPM_RANGE: Final = re.compile(r"[A-Za-z0-9.*+^~<>=| -]*")
_HIDDEN: Final = "…"


@dataclass(frozen=True, slots=True)
class Requirement:
    """A package that is asked for: as it is written, its name, and the one version it has to have, a range, or ""."""

    text: str
    name: str
    required: str = ""

    def is_met(self, version: str) -> bool | None:
        """Whether a version meets the requirement; None if any does, or if it is unknown."""
        if not self.required:
            return None
        if self.required in (version, f"==={version}"):
            return True
        plain = self.required[0] not in "<>=!~"
        specifier = f"=={self.required}" if plain else self.required
        try:
            return SpecifierSet(specifier).contains(Version(version), prereleases=True)
        except ValueError:
            return None


def normal(name: str) -> str:
    """Return a name as all of its spellings are."""
    return utils.canonicalize_name(name)


def pip_word(word: str) -> Requirement | None:
    """Return the requirement in a word or line for pip; None for a path, an address, an option or a condition.

    Addresses may have a password in them, and requirements are shown.
    """
    try:
        requirement = requirements.Requirement(word) if len(word) <= _LONGEST else None
    except ValueError:
        return None
    if requirement is None or requirement.url or requirement.marker:
        return None
    (only, *more) = (*requirement.specifier, None)
    exact = (
        only is not None and len(more) == 1 and only.operator == "==" and "*" not in only.version
    )
    return Requirement(
        word, requirement.name, only.version if exact else str(requirement.specifier)
    )


def pip_lines(text: str) -> Iterator[Requirement]:
    """Yield the requirements in the plain lines of a requirements file."""
    for line in text.replace("\\\n", " ").splitlines():
        requirement = pip_word(line.partition(" #")[0].partition(" --")[0].strip())
        if requirement is not None:
            yield requirement


def npm_dependencies(text: str) -> Iterator[Requirement]:
    """Yield the runtime dependencies of a package.json, by name, without those from other sources than the registry."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return
    dependencies = data.get("dependencies") if isinstance(data, dict) else None
    for name, version in sorted(dependencies.items()) if isinstance(dependencies, dict) else ():
        version_text = version if isinstance(version, str) else ""
        shown = version_text if _NPM_RANGE.fullmatch(version_text) else _HIDDEN
        if _NPM_NAME.fullmatch(name):
            exact = version_text if _EXACT.fullmatch(version_text) else ""
            yield Requirement(f"{name} {shown}".rstrip(), name, exact)
