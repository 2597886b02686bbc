"""What every export format is given, and what it makes. A format decides nothing about the environment: the plan has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from typing import Any, Final, Protocol

from envctl.conversion.conversion_report import ConversionReport, KeyOutcome
from envctl.definition.resolved import Resolved
from envctl.lazy_dataclass import dataclass
from envctl.plan.model import Plan
from envctl.plan.target import Target
from envctl.render.rendered_files import Content
from envctl.render.templates import Templates


class RenderPlan(Protocol):
    """Returns the files that the backend would render for a plan, and their modes; without a plan, for the target's own."""

    def __call__(self, plan: Plan | None = None) -> tuple[Mapping[str, Content], Mapping[str, int]]:
        """Render a plan."""


@dataclass(frozen=True, slots=True)
class ExportedTarget:
    """One environment: its spec, its plan, what renders files as its backend does, and the templates of its project.

    `service` is the one that the user chose, or "".
    """

    target: Target
    resolved: Resolved
    plan: Plan
    render: RenderPlan
    templates: Templates
    service: str = ""

    @property
    def environment(self) -> str:
        """Its name in the spec."""
        return self.target.environment


@dataclass(frozen=True, slots=True)
class KeyNote:
    """What became of one part of a key: `path` leads from the key to it, () is the whole key."""

    outcome: KeyOutcome
    note: str = ""
    path: tuple[str | int, ...] = ()


@dataclass(frozen=True, slots=True)
class SetKey:
    """A key that the spec sets: its resolved value, and where; `service` is "" outside of services."""

    plan: Plan
    service: str
    value: Any


@dataclass(frozen=True, slots=True)
class KeyRule:
    """What becomes of a key of the spec. `notes` says it of a value, where that depends on it.

    Parts that `notes` does not name become what the rule says. The docs are generated from `key`, `outcome` and `note`.
    """

    key: str
    outcome: KeyOutcome = KeyOutcome.SAME
    note: str = ""
    notes: Callable[[SetKey], Iterable[KeyNote]] | None = None


@dataclass(frozen=True, slots=True)
class ExportedFiles:
    """The files, by path, with the permission bits that differ from 0644.

    `places` has, by service ("" for what is outside of services), the file that a reader of the report looks into;
    ENVIRONMENT/SERVICE comes before the service alone.
    """

    files: Mapping[str, Content]
    modes: Mapping[str, int] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExportFormat:
    """A format. `backend` is the one that its targets are planned on; "" is the target's own.

    With `has_overlays`, it is given all environments unless the user names one. With `takes_service`, the user may choose
    a service. `next_commands` is for people.
    """

    name: str
    summary: str
    backend: str
    rules: Mapping[str, KeyRule]
    write: Callable[[Sequence[ExportedTarget]], ExportedFiles]
    has_overlays: bool = False
    takes_service: bool = False
    next_commands: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Export:
    """What an export makes."""

    written: ExportedFiles
    report: ConversionReport


TOP_KEYS: Final = ("project", "environment", "backend", "vars", "secrets", "accept")
"""The keys outside of services, in the rules of a format as `top.KEY`."""
