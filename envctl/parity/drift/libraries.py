"""Packages of languages: what pip and npm were told to install is there, in the version that is pinned. Pure.

What a later step may have changed again is not judged: pip upgrades what an earlier step pinned if it must.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from envctl.parity.collecting import is_covered
from envctl.parity.drift import made
from envctl.parity.drift.claim import Claim, presence
from envctl.parity.drift.made import Put, runs_after, steps
from envctl.parity.facts import Category, UnitFacts
from envctl.plan.model import NpmInstall, PipInstall, Unit

_REQUIREMENT: Final = re.compile(
    r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^]]*\])?\s*(?:(==)\s*([^\s,;*]+)|[<>!=~][^;]*)?"
)
_NUMBERS: Final = re.compile(r"\d+(\.\d+)*")
_NPM: Final = re.compile(r"(@?[a-z0-9._/-]+?)(?:@(.+))?")


def claims(unit: Unit, told: UnitFacts, *, root: Path) -> Iterator[Claim]:
    """Of each package named in a pip or npm step, or in the plain lines of its requirements."""
    puts = {put.path: put for put in made.files(unit)}
    for index, step in enumerate(steps(unit)):
        if runs_after(unit, index):
            continue
        if isinstance(step, PipInstall) and not is_covered(unit, step.venv):
            last = not any(
                isinstance(later, PipInstall) and later.venv == step.venv
                for later in steps(unit)[index + 1 :]
            )
            yield from _pip(unit, step, told, lines=_lines(step, puts, root), last=last)
        elif isinstance(step, NpmInstall):
            yield from _npm(unit, step, told, puts, root)


# --- pip ------------------------------------------------------------------------------------


def _lines(step: PipInstall, puts: dict[str, Put], root: Path) -> Iterator[str]:
    """What pip is told to install, word by word."""
    yield from step.packages
    put = puts.get(posixpath.normpath(step.requirements)) if step.requirements else None
    if put is not None:
        for line in made.text_of(put, root).replace("\\\n", " ").splitlines():
            yield line.partition(" #")[0].partition(" --")[0].strip()


def _pip(
    unit: Unit, step: PipInstall, told: UnitFacts, *, lines: Iterator[str], last: bool
) -> Iterator[Claim]:
    found = {
        _normal(name): version
        for key, version in told.get(Category.PYTHON, {}).items()
        for folder, _, name in [key.rpartition(": ")]
        if f"{folder}/".startswith(f"{step.venv.rstrip('/')}/")
    }
    for line in lines:
        match = _REQUIREMENT.fullmatch(line)
        if match is None:
            continue  # a path, an address, an option, a condition
        name, _, pin = match.groups()
        version = found.get(_normal(name))
        key = f"{step.venv}: {name}"
        if version is None or not pin or not last or not _comparable(pin, version):
            yield presence(
                unit.name,
                Category.PYTHON,
                key,
                word="installed",
                there=version is not None,
                where=step.where,
            )
        else:
            seen = pin if _same(pin, version) else version
            yield Claim(unit.name, Category.PYTHON, key, pin, seen, step.where)


def _normal(name: str) -> str:
    """A name as all of its spellings are (https://packaging.python.org/en/latest/specifications/name-normalization/)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _comparable(pin: str, version: str) -> bool:
    """Whether both are plain numbers, or the very same: of other versions there are many spellings."""
    plain = version.partition("+")[0]
    return pin == version or bool(_NUMBERS.fullmatch(pin) and _NUMBERS.fullmatch(plain))


def _same(pin: str, version: str) -> bool:
    def numbers(text: str) -> list[int]:
        found = [int(part) for part in text.split(".")]
        while found and not found[-1]:
            found.pop()
        return found

    return pin == version or numbers(pin) == numbers(version.partition("+")[0])


# --- npm ------------------------------------------------------------------------------------


def _npm(
    unit: Unit, step: NpmInstall, told: UnitFacts, puts: dict[str, Put], root: Path
) -> Iterator[Claim]:
    known = told.get(Category.NPM, {})
    if not step.packages:
        folder = posixpath.normpath(step.directory or "/")
        if is_covered(unit, f"{folder}/node_modules"):
            return
        for name in _dependencies(puts.get(f"{folder}/package.json"), root):
            key = f"{folder}: {name}"
            yield presence(
                unit.name, Category.NPM, key, word="installed", there=key in known, where=step.where
            )
        return
    found = {key.rpartition(": ")[2]: value.split()[0] for key, value in known.items() if value}
    for word in step.packages:
        match = _NPM.fullmatch(word)
        if match is None or (match[1].count("/") and not match[1].startswith("@")):
            continue  # an address or a path
        name, wanted = match.groups()
        if wanted and name in found and re.fullmatch(r"\d+\.\d+\.\d+", wanted):
            yield Claim(unit.name, Category.NPM, name, wanted, found[name], step.where)
        elif found:
            yield presence(
                unit.name,
                Category.NPM,
                name,
                word="installed",
                there=name in found,
                where=step.where,
            )


def _dependencies(put: Put | None, root: Path) -> Iterator[str]:
    if put is None:
        return
    try:
        told = json.loads(made.text_of(put, root))
    except ValueError:
        return
    wanted = told.get("dependencies") if isinstance(told, dict) else None
    if isinstance(wanted, dict):
        yield from sorted(wanted)
