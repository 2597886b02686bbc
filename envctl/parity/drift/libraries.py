"""Python and Node.js packages: those of pip and npm steps are installed in the pinned version. Pure.

Packages that a later step may have changed are not checked: pip may upgrade what an earlier step pinned.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from envctl.parity.drift import built_files
from envctl.parity.drift.built_files import BuiltFile, runs_after, steps
from envctl.parity.drift.expectation import Expectation, cannot_check, presence, why_unknown
from envctl.parity.fact_format import Category, UnitFacts
from envctl.plan.model import NpmInstall, PipInstall, Unit
from envctl.plan.requirements import Requirement, normal, npm_dependencies, pip_lines, pip_word

_NPM: Final = re.compile(r"(@?[A-Za-z0-9._~/-]+?)(?:@(.+))?")


def expectations(unit: Unit, facts: UnitFacts, *, root: Path) -> Iterator[Expectation]:
    """One expectation for each package named in a pip or npm step, or in a plain line of its requirements."""
    by_path = {built_file.path: built_file for built_file in built_files.files(unit)}
    for index, step in enumerate(steps(unit)):
        if runs_after(unit, index):
            continue
        if isinstance(step, PipInstall) and not unit.hides(step.venv):
            last = not any(
                isinstance(later, PipInstall) and later.venv == step.venv
                for later in steps(unit)[index + 1 :]
            )
            yield from _pip(
                unit, step, facts, requirements=_pip_requirements(step, by_path, root), last=last
            )
        elif isinstance(step, NpmInstall):
            yield from _npm(unit, step, facts, by_path, root)


# --- pip ------------------------------------------------------------------------------------


def _pip_requirements(
    step: PipInstall, by_path: dict[str, BuiltFile], root: Path
) -> Iterator[Requirement]:
    """The packages that pip installs by name."""
    yield from filter(None, map(pip_word, step.packages))
    built_file = by_path.get(posixpath.normpath(step.requirements)) if step.requirements else None
    if built_file is not None:
        yield from pip_lines(built_files.text_of(built_file, root))


def _pip(
    unit: Unit,
    step: PipInstall,
    facts: UnitFacts,
    *,
    requirements: Iterator[Requirement],
    last: bool,
) -> Iterator[Expectation]:
    installed = {
        normal(name): version
        for key, version in facts.get(Category.PYTHON, {}).items()
        for folder, _, name in [key.rpartition(": ")]
        if f"{folder}/".startswith(f"{step.venv.rstrip('/')}/")
    }
    for requirement in requirements:
        if why := why_unknown(facts, Category.PYTHON):
            key = f"{step.venv}: {requirement.name}"
            yield cannot_check(unit.name, Category.PYTHON, key, why, step.where)
            continue
        version = installed.get(normal(requirement.name))
        key = f"{step.venv}: {requirement.name}"
        met = requirement.is_met(version) if version is not None and last else None
        if version is None or met is None:
            yield presence(
                unit.name,
                Category.PYTHON,
                key,
                word="installed",
                is_present=version is not None,
                where=step.where,
            )
        else:
            seen = requirement.required if met else version
            yield Expectation(
                unit.name, Category.PYTHON, key, requirement.required, seen, step.where
            )


# --- npm ------------------------------------------------------------------------------------


def _npm(
    unit: Unit, step: NpmInstall, facts: UnitFacts, by_path: dict[str, BuiltFile], root: Path
) -> Iterator[Expectation]:
    known = facts.get(Category.NPM, {})
    if not step.packages:
        folder = posixpath.normpath(step.directory or "/")
        if unit.hides(f"{folder}/node_modules"):
            return
        built_file = by_path.get(f"{folder}/package.json")
        for requirement in npm_dependencies(
            built_files.text_of(built_file, root) if built_file else ""
        ):
            key = f"{folder}: {requirement.name}"
            if why := why_unknown(facts, Category.NPM):
                yield cannot_check(unit.name, Category.NPM, key, why, step.where)
                continue
            yield presence(
                unit.name,
                Category.NPM,
                key,
                word="installed",
                is_present=key in known,
                where=step.where,
            )
        return
    installed = {
        key.rpartition(": ")[2]: words[0]
        for key, value in known.items()
        if (words := value.split())
    }
    for word in step.packages:
        match = _NPM.fullmatch(word)
        if match is None or (match[1].count("/") and not match[1].startswith("@")):
            continue  # an address or a path
        name, version = match.groups()
        if why := why_unknown(facts, Category.NPM):
            yield cannot_check(unit.name, Category.NPM, name, why, step.where)
        elif version and name in installed and re.fullmatch(r"\d+\.\d+\.\d+", version):
            yield Expectation(unit.name, Category.NPM, name, version, installed[name], step.where)
        else:
            yield presence(
                unit.name,
                Category.NPM,
                name,
                word="installed",
                is_present=name in installed,
                where=step.where,
            )
