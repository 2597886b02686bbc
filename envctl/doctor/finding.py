"""The outcome of one check."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, what was found, and, where it is not as it should be, what to do.

    Without what is `needed` envctl does not work; anything else is advice. `packages` are the
    distribution's that mend it; with `starts_engine` the engine has to be started as well.
    """

    name: str
    ok: bool
    found: str
    remedy: str = ""
    needed: bool = True
    packages: tuple[str, ...] = ()
    starts_engine: bool = False

    @property
    def fixable(self) -> bool:
        """Whether `doctor --fix` knows how to mend it on this system."""
        return not self.ok and bool(self.packages or self.starts_engine)
