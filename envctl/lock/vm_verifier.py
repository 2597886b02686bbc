"""Builds that are done in machines, of which no image tells what is in them: looked into where they are done."""

from __future__ import annotations

from dataclasses import field

from envctl.backends.common.build_inputs import OtherBaseError, RunScript
from envctl.lazy_dataclass import dataclass
from envctl.lock.inspect import tell
from envctl.lock.lock_differences import base_differences, build_differences
from envctl.lock.messages import insist_on_architecture, refusal
from envctl.lock.model import Lock, Manifest


@dataclass(slots=True)
class Inspection:
    """Holds the machine that a build is done in to a lock.

    `units` are those that the build is for, `base` is the name of its base's image, `expected` what it has to come to.
    """

    environment: str
    lock: Lock
    units: tuple[str, ...]
    base: str
    expected: Manifest
    _before: Manifest = field(default_factory=Manifest)

    @property
    def made_of(self) -> str:
        """A hash of all that is locked of it."""
        return self.expected.digest

    def before(self, run: RunScript) -> None:
        """Hold what there is before the steps to the locked base."""
        self._before = self._seen(run)
        units = (f"base {self.base}",)
        found = base_differences(self._base, self.expected, self._before, units)
        if found:
            raise refusal(self.environment, found, kind=OtherBaseError)

    def after(self, run: RunScript) -> None:
        """Hold what there is after the steps to the locked build."""
        seen = self._seen(run)
        found = build_differences(self._base, self.expected, self._before, seen, self.units)
        if found:
            raise refusal(self.environment, found)

    @property
    def _base(self) -> Manifest:
        known = self.lock.bases.get(self.base)
        return Manifest(known.packages) if known else Manifest()

    def _seen(self, run: RunScript) -> Manifest:
        what = "the machine that it is built in"
        architecture, manifest = tell(run, what)
        insist_on_architecture(self.lock, architecture, what)
        return manifest
