"""Facts: what is true inside a unit, by category and key, every value a text. And the file they are kept in.

The file is JSON: `format`, `version`, `project`, `environment`, `backend`, and `units`, which has by unit and
category a mapping of keys to values. Secrets are told of by presence, mode, owner and a keyed digest alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from envctl.errors import EnvctlError
from envctl.plan.categories import Category
from envctl.plan.text import size_text

__all__ = [
    "DIGEST",
    "FORMAT",
    "SUBSTRATE",
    "VERSION",
    "Category",
    "Facts",
    "UnitFacts",
    "from_file",
    "from_json",
    "readable",
    "to_json",
]

FORMAT: Final = "envctl facts"
VERSION: Final = 1
_AGAIN: Final = "`envctl facts ENV --json > FILE` writes such a file"

UnitFacts: TypeAlias = Mapping[str, Mapping[str, str]]
"""By category, by key. What the category SUBSTRATE has says of the others what came with a machine."""
SUBSTRATE: Final = "substrate"
DIGEST: Final = " digest"
"""What the key of a secret's digest ends with."""
_IN_BYTES: Final = frozenset(
    {
        "memory", "address space", "core file size", "data size", "file size",
        "locked memory", "msgqueue size", "resident set", "stack size",
    }
)  # fmt: skip
"""The limits that are numbers of bytes (https://man7.org/linux/man-pages/man5/proc_pid_limits.5.html)."""


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of a target's running units, by unit."""

    project: str
    environment: str
    backend: str
    units: Mapping[str, UnitFacts]

    @property
    def name(self) -> str:
        """The target they are of."""
        return f"{self.environment}@{self.backend}"


def readable(category: str, key: str, value: str) -> str:
    """A fact's value for people: bytes as MiB, say, and all else as it is."""
    if category != Category.LIMITS or key not in _IN_BYTES:
        return value
    return re.sub(r"\b[0-9]{1,20}\b", lambda match: size_text(int(match[0])), value)


def to_json(facts: Facts) -> dict[str, Any]:
    """The file's content."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "project": facts.project,
        "environment": facts.environment,
        "backend": facts.backend,
        "units": {
            unit: {
                category: dict(sorted(values.items())) for category, values in sorted(known.items())
            }
            for unit, known in sorted(facts.units.items())
        },
    }


def from_file(name: str) -> Facts:
    """The facts kept in a file. EnvctlError, which names it, if it cannot be read or has none."""
    try:
        text = Path(name).read_text("utf-8")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise EnvctlError(f"{name} cannot be read: {why}", hint=_AGAIN) from error
    return from_json(text, name=name)


def from_json(text: str, *, name: str) -> Facts:
    """The facts a file has. EnvctlError, which names the file, if it has none or of a version to come."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise EnvctlError(f"{name} is no JSON: {error}", hint=_AGAIN) from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise EnvctlError(f"{name} has no facts in it", hint=_AGAIN)
    if data.get("version") != VERSION:
        raise EnvctlError(
            f"{name} is of version {data.get('version')}, and this envctl reads version {VERSION}",
            hint="use the envctl that wrote it, or write it anew",
        )
    try:
        return Facts(
            str(data["project"]),
            str(data["environment"]),
            str(data["backend"]),
            _units(data["units"]),
        )
    except (KeyError, AttributeError, TypeError) as error:
        raise EnvctlError(f"{name} is not whole: {error}", hint=_AGAIN) from error


def _units(data: Mapping[str, Any]) -> Mapping[str, UnitFacts]:
    return {
        unit: {
            category: {key: str(value) for key, value in values.items()}
            for category, values in known.items()
        }
        for unit, known in data.items()
    }
