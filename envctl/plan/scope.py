"""Which environment of which checkout something belongs to."""

from __future__ import annotations

from pathlib import Path

from envctl.host.checkout_id import identify
from envctl.host.links import followed
from envctl.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Scope:
    """Which environment of which checkout: what resources are named and labelled after.

    `project_id` tells two checkouts of one project apart. It is derived from `home`, the first folder of the
    checkout. `root` is its current folder, which differs from `home` only after `envctl adopt`.
    """

    project: str
    project_id: str
    environment: str
    root: str
    home: str = ""

    @property
    def origin(self) -> str:
        """The folder that its resources are named after."""
        return self.home or self.root


@dataclass(frozen=True, slots=True)
class FoundEnvironment:
    """An environment that exists on an engine, of any project. `scope.root` is the project's folder when it was created."""

    scope: Scope
    backend: str
    units: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    running: tuple[str, ...] = ()
    """The units whose container or machine runs, as far as the engine's list shows."""

    @property
    def where(self) -> str:
        """The folder of its project."""
        return self.scope.root or "an unknown folder"

    @property
    def is_lost(self) -> bool:
        """Whether its project's folder is gone."""
        return not (self.scope.root and Path(self.scope.root).is_dir())


def make_scope(project: str, environment: str, root: Path, *, home: str = "") -> Scope:
    """Return the scope of an environment of the checkout in `root`, which was in `home` first."""
    absolute = str(followed(root))
    home = home or absolute
    return Scope(project, identify(home), environment, absolute, "" if home == absolute else home)
