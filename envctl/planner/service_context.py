"""What the units of one service depend on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from envctl.definition.resolved import Resolved
from envctl.errors import Place, SpecError
from envctl.files import HashedTree
from envctl.lazy_dataclass import dataclass
from envctl.plan.model import Build
from envctl.planner.package_layers import PackageSets

if TYPE_CHECKING:
    from envctl.definition.keys.service import ServiceData


class RenderText(Protocol):
    """Fills in a project's own text, the source of a `template` step; `name` is its file."""

    def __call__(self, source: str, values: Mapping[str, Any], name: str) -> str:
        """Return the text. EnvctlError, with file and line, if that fails."""


@dataclass(frozen=True, slots=True)
class ServiceContext:
    """One service of the resolved spec, with everything that its units depend on.

    `template_digest` is a digest of the project's own templates that images are made from.
    """

    name: str
    resolved: Resolved
    backend: str
    package_sets: PackageSets
    render_text: RenderText
    template_digest: str = ""
    owner: tuple[int, int] | None = None
    """The numbers of the user and group that own the project's folder; None if they are root's."""
    host_users: frozenset[str] = frozenset()
    """The users who have the owner's numbers."""
    users: Sequence[object] = ()
    """The data that decides the users of all services."""
    copies: dict[tuple[str, tuple[str, ...]], HashedTree] = field(default_factory=dict)
    """The files of copies, by source and excluded patterns, for services that are planned together."""
    stages: dict[tuple[str, str], Build | SpecError] = field(default_factory=dict)
    """The builds of stages by service and name, or why there is none: several steps may copy from one stage."""

    @property
    def service(self) -> ServiceData:
        """The service itself."""
        return self.resolved.data["services"][self.name]

    @property
    def root(self) -> Path:
        """The project's folder."""
        return self.resolved.root

    @property
    def user(self) -> str | None:
        """The user that it runs as: a built service gets its own unless the spec names one."""
        context = self.service["user"]
        if context is not None and context["name"]:
            return context["name"]
        return self.name if self.service["base"] is not None else None

    def where(self, *path: str | int) -> Place | None:
        """Return the place that set a value of the service."""
        return self.resolved.where("services", self.name, *path)
