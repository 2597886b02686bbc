"""Looking into the units of a target that run: their facts asked for, and held against what is declared."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

from envctl.backends.atonce import all_at_once
from envctl.backends.base import Backend
from envctl.errors import EnvctlError
from envctl.parity import collecting
from envctl.parity.drift import files, libraries, made, packages, process
from envctl.parity.drift.claim import UNITS, Claim
from envctl.parity.facts import Category, UnitFacts
from envctl.plan.model import PipInstall, Plan, Unit

PATIENCE: Final = 5.0
"""Seconds that a process which was started just now gets to listen, and its name to be known."""
_PAUSE: Final = 0.5
_LATE: Final = (Category.SOCKETS, Category.NAMES)


class Masks(Protocol):
    """Takes the values of secrets out."""

    def masked(self, text: str) -> str:
        """Out of a text."""

    def masked_bytes(self, data: bytes) -> bytes:
        """Out of bytes, whatever they are."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What is needed to look into units.

    `digests` are what the secrets' values give with `key`; `masks` takes the values out of what is told.
    """

    plan: Plan
    backend: Backend
    running: Sequence[Unit]
    key: str
    digests: Mapping[str, str]
    masks: Masks

    def claims(self, units: Sequence[Unit]) -> list[Claim]:
        """What is so of these units, of those that run."""
        return [claim for found in all_at_once(self._of, list(units)) for claim in found]

    def _of(self, unit: Unit) -> list[Claim]:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                found = list(self._held(unit, self._told(unit)))
            except EnvctlError as error:
                said = self.masks.masked(error.brief)
                return [Claim(unit.name, UNITS, "", "tells", said, unit.where, error.hint)]
            late = any(map(_may_come, found))
            if not late or time.monotonic() > end:
                return [_waited_for(one) if _may_come(one) else one for one in found]
            time.sleep(_PAUSE)

    def _told(self, unit: Unit) -> UnitFacts:
        # Where names are looked up elsewhere, to ask for one that nobody has takes its time.
        there = replace(self.plan, units=tuple(self.running))

        def ask(user: str | None) -> UnitFacts:
            return collecting.ask(
                there,
                unit,
                self.backend,
                key=self.key,
                mask=self.masks.masked_bytes,
                also=inquiry(unit),
                user=user,
            )

        try:
            return ask(None)
        except EnvctlError:
            # Its user may be there no more, which root can tell.
            with suppress(EnvctlError):
                return ask("0")
            raise

    def _held(self, unit: Unit, told: UnitFacts) -> Iterator[Claim]:
        root = Path(self.plan.scope.root)
        neighbours = [one for one in self.running if one.name != unit.name]
        yield from packages.claims(unit, told)
        yield from libraries.claims(unit, told, root=root)
        yield from process.claims(unit, told, mask=self.masks.masked, neighbours=neighbours)
        yield from files.claims(unit, told, root=root)
        yield from files.secrets(unit, told, digests=self.digests, key=self.key)


def _may_come(claim: Claim) -> bool:
    return not claim.holds and claim.category in _LATE


def _waited_for(claim: Claim) -> Claim:
    return replace(claim, found=f"{claim.found} within {PATIENCE:g} s")


def inquiry(unit: Unit) -> Iterator[tuple[str, str]]:
    """What a unit is asked beyond its facts: (kind, value)."""
    asked: dict[tuple[str, str], None] = {}
    for path in (*made.REFERENCES, packages.STATUS, packages.INFO):
        asked["times", path] = None
    for put in made.files(unit):
        asked["times", put.path] = None
        asked["gone", put.path] = None
    for step in made.steps(unit):
        if isinstance(step, PipInstall):
            asked["python", f"{step.venv.rstrip('/')}/lib"] = None
    asked["given", "environment"] = None
    asked["tool", process.LOOK_UP] = None
    asked["provides", "all"] = None
    asked["removed", "all"] = None
    yield from ((kind, value) for kind, value in asked if "\n" not in value)
