"""Facts: what is true inside a unit, by category and key; and their file format.

A fact is known, with a text as its value; absent; or unknown, with a reason. The file is JSON:
`format`, `version`, `project`, `environment`, `backend`, and `units`, which maps units to categories to keys to
values; an unknown fact is `{"unknown": REASON}`. Secrets are recorded by presence, mode, owner and a keyed digest only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Final, TypeAlias

from envctl.errors import EnvctlError
from envctl.lazy_dataclass import dataclass
from envctl.plan.categories import Category
from envctl.plan.text import size_text

__all__ = [
    "DIGEST",
    "FORMAT",
    "SUBSTRATE",
    "UNKNOWN",
    "VERSION",
    "Category",
    "Fact",
    "Facts",
    "UnitFacts",
    "Unknown",
    "fact",
    "fact_id",
    "from_file",
    "from_json",
    "readable",
    "to_json",
    "unknown_at",
    "unknown_keys",
]

FORMAT: Final = "envctl facts"
VERSION: Final = 2
_AGAIN: Final = "`envctl facts ENV --json > FILE` writes such a file"

UnitFacts: TypeAlias = Mapping[str, Mapping[str, str]]
"""The known facts, by category and by key.

Two further entries refer to facts by their `fact_id`. SUBSTRATE lists those that came with a machine, with their value
in the image if the build of the machine changed it. UNKNOWN has the reasons of unknown facts.
"""
SUBSTRATE: Final = "substrate"
UNKNOWN: Final = "unknown"
PROCESSOR: Final = "machine"
"""The only fact in the category kernel that belongs to the unit."""
DIGEST: Final = " digest"
"""The suffix of the key for a secret's digest."""
_IN_BYTES: Final = frozenset(
    {
        "memory", "memory high", "swap", "memory visible", "swap visible", "address space", "core file size", "data size", "file size",
        "locked memory", "msgqueue size", "resident set", "stack size",
    }
)  # fmt: skip
"""Limits in bytes (https://man7.org/linux/man-pages/man5/proc_pid_limits.5.html)."""


@dataclass(frozen=True, slots=True, eq=False)
class Unknown:
    """An unknown fact and the reason. It equals nothing, not even itself."""

    reason: str

    def __eq__(self, other: object) -> bool:
        return False

    __hash__ = object.__hash__

    def __str__(self) -> str:
        return self.reason


Fact: TypeAlias = str | Unknown | None
"""A known value, an unknown one, or None if absent."""


def fact_id(category: str, key: str) -> str:
    """How SUBSTRATE and UNKNOWN refer to a fact; without a key, to a whole category."""
    return f"{category}\t{key}"


def unknown_keys(facts: UnitFacts, category: str) -> list[str]:
    """The unknown keys of a category; "" stands for all keys that are missing."""
    prefix = fact_id(category, "")
    return [name.removeprefix(prefix) for name in facts.get(UNKNOWN, {}) if name.startswith(prefix)]


def unknown_at(facts: UnitFacts, category: str, key: str) -> str | None:
    """The key under which a fact is unknown: its own, that of a parent folder, or "" for the category; None if it is known or absent."""
    unknown = facts.get(UNKNOWN)
    if not unknown:
        return None
    if fact_id(category, key) in unknown:
        return key
    if key in facts.get(category, {}):
        return None
    above = PurePosixPath(key).parents if category == Category.FILES else ()
    broader = (*map(str, above), "")
    return next(
        (key_above for key_above in broader if fact_id(category, key_above) in unknown), None
    )


def fact(facts: UnitFacts, category: str, key: str) -> Fact:
    """A fact of a unit: its value, None if absent, or Unknown."""
    at = unknown_at(facts, category, key)
    if at is not None:
        return Unknown(facts[UNKNOWN][fact_id(category, at)])
    return facts.get(category, {}).get(key)


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of a target by unit. For a unit that does not run, only the reason is recorded."""

    project: str
    environment: str
    backend: str
    units: Mapping[str, UnitFacts]

    @property
    def name(self) -> str:
        """The target, such as dev@docker."""
        return f"{self.environment}@{self.backend}"


def readable(category: str, key: str, value: str) -> str:
    """A fact's value for people: bytes as MiB, for example."""
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
            unit: _unit_to_json(unit_facts) for unit, unit_facts in sorted(facts.units.items())
        },
    }


def _unit_to_json(facts: UnitFacts) -> dict[str, Any]:
    written: dict[str, dict[str, Any]] = {
        category: dict(values) for category, values in facts.items() if category != UNKNOWN
    }
    for name, reason in facts.get(UNKNOWN, {}).items():
        category, _, key = name.partition("\t")
        written.setdefault(category, {})[key] = {UNKNOWN: reason}
    return {category: dict(sorted(values.items())) for category, values in sorted(written.items())}


def from_file(name: str) -> Facts:
    """Read facts from a file. EnvctlError, with its name, if it cannot be read or is not a facts file."""
    try:
        text = Path(name).read_text("utf-8")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise EnvctlError(f"{name} cannot be read: {why}", hint=_AGAIN) from error
    return from_json(text, name=name)


def from_json(text: str, *, name: str) -> Facts:
    """Parse facts from JSON. EnvctlError, with the file's name, if it is not a facts file of this version."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise EnvctlError(f"{name} is not JSON: {error}", hint=_AGAIN) from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise EnvctlError(f"{name} is not a facts file", hint=_AGAIN)
    if data.get("version") != VERSION:
        raise EnvctlError(
            f"{name} has facts of version {data.get('version')}, and this envctl compares version {VERSION} only",
            hint=f"use the version of envctl that wrote it, or write it again: {_AGAIN}",
        )
    try:
        return Facts(
            str(data["project"]),
            str(data["environment"]),
            str(data["backend"]),
            _units(data["units"]),
        )
    except (KeyError, AttributeError, TypeError) as error:
        raise EnvctlError(f"{name} is incomplete: {error}", hint=_AGAIN) from error


def _units(data: Mapping[str, Any]) -> Mapping[str, UnitFacts]:
    return {unit: _unit_from_json(categories) for unit, categories in data.items()}


def _unit_from_json(categories: Mapping[str, Any]) -> UnitFacts:
    facts: dict[str, dict[str, str]] = {}
    unknown: dict[str, str] = {}
    for category, values in categories.items():
        known = facts[category] = {}
        for key, value in values.items():
            if isinstance(value, dict):
                unknown[fact_id(category, key)] = str(value[UNKNOWN])
            else:
                known[key] = str(value)
        if not known and values:
            del facts[category]
    return {**facts, UNKNOWN: unknown} if unknown else facts
