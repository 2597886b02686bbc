"""Packages of languages: what pip and npm were told to install is there, in the version that is pinned. Pure.

What a later step may have changed again is not judged: pip upgrades what an earlier step pinned if it must.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from envctl.parity.collect import is_covered
from envctl.parity.drift import built_files
from envctl.parity.drift.built_files import BuiltFile, runs_after, steps
from envctl.parity.drift.expectation import Expectation, cannot_check, presence, why_unknown
from envctl.parity.facts import Category, UnitFacts
from envctl.plan.model import NpmInstall, PipInstall, Unit
from envctl.plan.requirements import Requirement, normal, npm_dependencies, pip_lines, pip_word

_NPM: Final = re.compile(r"(@?[A-Za-z0-9._~/-]+?)(?:@(.+))?")


def expectations(unit: Unit, told: UnitFacts, *, root: Path) -> Iterator[Expectation]:
    """Of each package named in a pip or npm step, or in the plain lines of its requirements."""
    by_path = {built_file.path: built_file for built_file in built_files.files(unit)}
    for index, step in enumerate(steps(unit)):
        if runs_after(unit, index):
            continue
        if isinstance(step, PipInstall) and not is_covered(unit, step.venv):
            last = not any(
                isinstance(later, PipInstall) and later.venv == step.venv
                for later in steps(unit)[index + 1 :]
            )
            yield from _pip(unit, step, told, wanted=_wanted(step, by_path, root), last=last)
        elif isinstance(step, NpmInstall):
            yield from _npm(unit, step, told, by_path, root)


# --- pip ------------------------------------------------------------------------------------


def _wanted(step: PipInstall, by_path: dict[str, BuiltFile], root: Path) -> Iterator[Requirement]:
    """What pip is told to install by name."""
    yield from filter(None, map(pip_word, step.packages))
    built_file = by_path.get(posixpath.normpath(step.requirements)) if step.requirements else None
    if built_file is not None:
        yield from pip_lines(built_files.text_of(built_file, root))


def _pip(
    unit: Unit,
    step: PipInstall,
    told: UnitFacts,
    *,
    wanted: Iterator[Requirement],
    last: bool,
) -> Iterator[Expectation]:
    found = {
        normal(name): version
        for key, version in told.get(Category.PYTHON, {}).items()
        for folder, _, name in [key.rpartition(": ")]
        if f"{folder}/".startswith(f"{step.venv.rstrip('/')}/")
    }
    for one in wanted:
        if why := why_unknown(told, Category.PYTHON):
            key = f"{step.venv}: {one.name}"
            yield cannot_check(unit.name, Category.PYTHON, key, why, step.where)
            continue
        version = found.get(normal(one.name))
        key = f"{step.venv}: {one.name}"
        met = one.is_met(version) if version is not None and last else None
        if version is None or met is None:
            yield presence(
                unit.name,
                Category.PYTHON,
                key,
                word="installed",
                there=version is not None,
                where=step.where,
            )
        else:
            seen = one.wanted if met else version
            yield Expectation(unit.name, Category.PYTHON, key, one.wanted, seen, step.where)


# --- npm ------------------------------------------------------------------------------------


def _npm(
    unit: Unit, step: NpmInstall, told: UnitFacts, by_path: dict[str, BuiltFile], root: Path
) -> Iterator[Expectation]:
    known = told.get(Category.NPM, {})
    if not step.packages:
        folder = posixpath.normpath(step.directory or "/")
        if is_covered(unit, f"{folder}/node_modules"):
            return
        built_file = by_path.get(f"{folder}/package.json")
        for one in npm_dependencies(built_files.text_of(built_file, root) if built_file else ""):
            key = f"{folder}: {one.name}"
            if why := why_unknown(told, Category.NPM):
                yield cannot_check(unit.name, Category.NPM, key, why, step.where)
                continue
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
        if why := why_unknown(told, Category.NPM):
            yield cannot_check(unit.name, Category.NPM, name, why, step.where)
        elif wanted and name in found and re.fullmatch(r"\d+\.\d+\.\d+", wanted):
            yield Expectation(unit.name, Category.NPM, name, wanted, found[name], step.where)
        else:
            yield presence(
                unit.name,
                Category.NPM,
                name,
                word="installed",
                there=name in found,
                where=step.where,
            )
