"""Packages of the distribution: declared ones are installed, and none was changed later. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from envctl.errors import Place
from envctl.parity.drift.built_files import ChangeTracker, runs_after, steps
from envctl.parity.drift.expectation import Expectation, cannot_check, so, why_unknown
from envctl.parity.fact_format import Category, UnitFacts
from envctl.parity.verify_categories import VerifyCategory
from envctl.plan.model import InstallPackages, Unit

STATUS: Final = "/var/lib/dpkg/status"
INFO: Final = "/var/lib/dpkg/info"
OTHERS: Final = "others"
"""The key of the expectation that all other packages are unchanged."""
_BUILT: Final = "as it was built"


def expectations(unit: Unit, facts: UnitFacts) -> Iterator[Expectation]:
    """One expectation per declared package, and one for all others. Their number depends only on the spec."""
    changes = ChangeTracker(facts)
    declared: dict[str, Expectation] = {}
    for expectation in _declared(unit, facts, changes):
        declared[expectation.key] = expectation
    yield from declared.values()
    where = _where(unit, "")
    if why := why_unknown(facts, Category.PACKAGES) or changes.unknown:
        yield cannot_check(unit.name, Category.PACKAGES, OTHERS, why, where)
        return
    others = so(unit.name, Category.PACKAGES, OTHERS, where, word=_BUILT)
    if not (unit.hooks.after_start and unit.run.process.user == "root"):
        # The unit's hooks may install packages.
        known = {key for key, expectation in declared.items() if not expectation.passed}
        others = replace(others, details=tuple(_by_hand(unit, facts, changes, known)))
    yield others


def _declared(unit: Unit, facts: UnitFacts, changes: ChangeTracker) -> Iterator[Expectation]:
    changed = changed_since(facts, changes)
    for index, step in enumerate(steps(unit)):
        if isinstance(step, InstallPackages):
            # A later command of the build may have removed packages that only the build needs.
            built = runs_after(unit, index)
            for word in step.names:
                yield _package(unit, facts, word, changed, built=built, where=step.where)


def _package(
    unit: Unit,
    facts: UnitFacts,
    word: str,
    changed: Mapping[str, str],
    *,
    built: bool,
    where: Place | None,
) -> Expectation:
    name, _, version_wanted = word.partition("=")
    installed = facts.get(Category.PACKAGES, {})
    why = why_unknown(facts, Category.PACKAGES, name)
    version, _, architecture_and_state = installed.get(name, "").partition(" ")
    if not version and not why:
        why = why_unknown(facts, VerifyCategory.PROVIDES)
    if why:
        return cannot_check(unit.name, Category.PACKAGES, name, why, where)
    is_present = bool(version) or (
        name in facts.get(VerifyCategory.PROVIDES, {}) and not version_wanted
    )
    # For apt, a name with a trailing dash means that the package is to be removed.
    removed = name.endswith("-") and name not in installed
    if removed or (not is_present and built and name not in changed):
        return so(unit.name, Category.PACKAGES, name, where, word=_BUILT)
    if state := architecture_and_state.partition(" ")[2]:
        expected, observed = "installed", state
    elif version and version_wanted and (name in changed or not built):
        expected, observed = version_wanted, version
    else:
        expected, observed = "installed", "installed" if is_present else "not installed"
    return Expectation(unit.name, Category.PACKAGES, name, expected, observed, where)


def changed_since(facts: UnitFacts, changes: ChangeTracker) -> Mapping[str, str]:
    """Packages that were installed, upgraded or removed since the unit was created, and how."""
    installed = facts.get(Category.PACKAGES, {})
    changed: dict[str, str] = {}
    for path in changes.below(INFO):
        name, extension = posixpath.splitext(posixpath.basename(path))
        name = name.partition(":")[0]
        if extension == ".list":
            version = next(iter(installed.get(name, "").split()), "an unknown version")
            now = f"{version}, installed" if name in installed else "removed"
            changed[name] = f"{now} since"
    if changes.written(STATUS):
        for name, when in facts.get(VerifyCategory.REMOVED, {}).items():
            if name not in installed and _seconds(when) > (changes.created_at or 0):
                changed[name] = "removed since"
    return changed


def _by_hand(
    unit: Unit, facts: UnitFacts, changes: ChangeTracker, known: set[str]
) -> Iterator[Expectation]:
    """One expectation for each changed package that is not `known` already."""
    changed = dict(changed_since(facts, changes))
    if changes.written(STATUS) and not changed and not known:
        changed["dpkg"] = "its records were changed since"
    for name in sorted(changed.keys() - known):
        where = _where(unit, name)
        yield Expectation(unit.name, Category.PACKAGES, name, _BUILT, changed[name], where)


def _seconds(when: str) -> float:
    """The time of a line in the package manager's log, in seconds since 1970. Machines and containers use UTC."""
    try:
        return datetime.fromisoformat(when).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0


def _where(unit: Unit, name: str) -> Place | None:
    installs = [step for step in steps(unit) if isinstance(step, InstallPackages)]
    for step in installs:
        if name in {word.partition("=")[0] for word in step.names}:
            return step.where
    return installs[-1].where if installs else unit.source.where or unit.where
