"""Packages of the distribution: those declared are there, and nobody has changed any since. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from envctl.errors import Place
from envctl.parity.drift.claim import Claim
from envctl.parity.drift.made import Since, runs_after, steps
from envctl.parity.facts import Category, UnitFacts
from envctl.parity.inquiry import Asked
from envctl.plan.model import InstallPackages, Unit

STATUS: Final = "/var/lib/dpkg/status"
INFO: Final = "/var/lib/dpkg/info"
_BUILT: Final = "as it was built"


def claims(unit: Unit, told: UnitFacts) -> Iterator[Claim]:
    """Of the packages that the spec names, and of those that somebody has changed."""
    installed = told.get(Category.PACKAGES, {})
    if not installed:
        return
    since = Since(told)
    declared: dict[str, Claim] = {}
    for claim in _declared(unit, told, installed, since):
        declared[claim.key] = claim
    yield from declared.values()
    if unit.hooks.after_start and unit.run.process.user == "root":
        # They may well install something.
        return
    known = {key for key, claim in declared.items() if not claim.holds}
    yield from _by_hand(unit, told, since, known)


def _declared(
    unit: Unit, told: UnitFacts, installed: Mapping[str, str], since: Since
) -> Iterator[Claim]:
    provided = told.get(Asked.PROVIDES, {})
    changed = _changed(told, since)
    for index, step in enumerate(steps(unit)):
        if not isinstance(step, InstallPackages):
            continue
        # A command of the build may have removed what only the build needs.
        built = runs_after(unit, index)
        for word in step.names:
            name, _, wanted = word.partition("=")
            if name.endswith("-") and name not in installed:
                continue  # to the packager that means that it is to be removed
            version, _, rest = installed.get(name, "").partition(" ")
            there = bool(version) or (name in provided and not wanted)
            if not there and built and name not in changed:
                continue
            if state := rest.partition(" ")[2]:
                expected, found = "installed", state
            elif version and wanted and (name in changed or not built):
                expected, found = wanted, version
            else:
                expected, found = "installed", "installed" if there else "not installed"
            yield Claim(unit.name, Category.PACKAGES, name, expected, found, step.where)


def _changed(told: UnitFacts, since: Since) -> Mapping[str, str]:
    """Packages that were installed, upgraded or removed since the unit was made, and which of these."""
    installed = told.get(Category.PACKAGES, {})
    found: dict[str, str] = {}
    for path in since.below(INFO):
        name, extension = posixpath.splitext(posixpath.basename(path))
        name = name.partition(":")[0]
        if extension == ".list":
            now = f"{installed[name].split()[0]}, put there" if name in installed else "removed"
            found[name] = f"{now} since"
    if since.written(STATUS):
        for name, when in told.get(Asked.REMOVED, {}).items():
            if name not in installed and _seconds(when) > (since.made or 0):
                found[name] = "removed since"
    return found


def _by_hand(unit: Unit, told: UnitFacts, since: Since, known: set[str]) -> Iterator[Claim]:
    """Of what was changed since, but for what is `known` already."""
    changed = dict(_changed(told, since))
    if since.written(STATUS) and not changed and not known:
        changed["dpkg"] = "its records were changed since"
    for name in sorted(changed.keys() - known):
        where = _where(unit, name)
        yield Claim(unit.name, Category.PACKAGES, name, _BUILT, changed[name], where)


def _seconds(when: str) -> float:
    """Of the epoch, when a line of the packager's log was written; machines and containers keep UTC."""
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
