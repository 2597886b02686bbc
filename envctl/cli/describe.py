"""describe: describe an environment on one screen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from envctl.cli.arguments import Target
from envctl.cli.declare import AsJson
from envctl.cli.invocation import Invocation
from envctl.cli.output import counted

if TYPE_CHECKING:
    from envctl.verbs.describe import Description, UnitDescription, VolumeDescription

_STYLES: Final = {
    "running": "green",
    "completed": "green",
    "missing": "yellow",
    "stopped": "yellow",
}
_MOST_PACKAGES: Final = 4
_MOST_PATHS: Final = 4


def describe(invocation: Invocation, target: Target = None, *, as_json: AsJson = False) -> None:
    """Describe an environment on one screen.

    Shows its services with their addresses and versions, its volumes with their sizes, its secrets by name, how to log
    in, and what in the spec differs from other environments. Values of secrets are never shown.

    Examples:
        envctl describe dev
        envctl describe dev --json

    JSON: an object with `environment`, `backend`, `project`, `folder`, `units` (each as in `status`, with `source` and
    `packages`), `volumes` (`name`, `size` in bytes or null, `exists`, `services`), `secrets` (`name`, `source`,
    `services`), `logins` (commands) and `differences` (paths by environment).
    """
    goal = invocation.target(target)
    from envctl.verbs import describe as verb

    description = verb.describe(invocation.project, goal)
    invocation.reporter.pause()
    if as_json:
        invocation.json(_data(description))
    else:
        _show(invocation, description)


def _data(description: Description) -> dict[str, object]:
    units = [
        {**asdict(unit.row), "source": unit.source, "packages": dict(unit.packages)}
        for unit in description.units
    ]
    return {**asdict(description), "units": units}


def _show(invocation: Invocation, description: Description) -> None:
    out = invocation.out
    name = f"{description.environment}@{description.backend}"
    head = (
        f"{out.paint(name, 'bold')}  {out.safe(f'{description.project} in {description.folder}')}"
    )
    out.line(head)
    for title, rows in _sections(description):
        if rows:
            out.line()
            out.line(out.paint(title, "bold"))
            out.table(_filled(rows), styles=_STYLES)


def _filled(rows: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    """The rows, indented."""
    return [(f"  {row[0]}", *row[1:]) for row in rows]


def _sections(description: Description) -> Iterator[tuple[str, Sequence[Sequence[str]]]]:
    yield "Services", [_unit_cells(unit) for unit in description.units]
    yield "Volumes", [_volume_cells(volume) for volume in description.volumes]
    yield (
        "Secrets",
        [(secret.name, secret.source, " ".join(secret.services)) for secret in description.secrets],
    )
    yield "Log in", [(command,) for command in description.logins]
    yield (
        "Other environments",
        [(name, _difference_text(paths)) for name, paths in description.differences.items()],
    )


def _unit_cells(unit: UnitDescription) -> tuple[str, ...]:
    health = "" if unit.row.health == "none" else unit.row.health
    addresses = " ".join(unit.row.addresses)
    return (unit.row.unit, unit.row.state, health, addresses, _versions_text(unit), unit.row.cause)


def _versions_text(unit: UnitDescription) -> str:
    packages = [f"{name} {version}" for name, version in unit.packages.items()]
    more = len(packages) - _MOST_PACKAGES
    shown = ", ".join([unit.source, *packages[:_MOST_PACKAGES]])
    return f"{shown} and {more} more" if more > 0 else shown


def _volume_cells(volume: VolumeDescription) -> tuple[str, ...]:
    from envctl.plan.text import rough_size

    size = rough_size(volume.size) if volume.size is not None else "size unknown"
    users = " ".join(volume.services) or "used by nothing"
    return (volume.name, size if volume.exists else "does not exist yet", users)


def _difference_text(paths: Sequence[str]) -> str:
    if not paths:
        return "the same spec"
    more = len(paths) - _MOST_PATHS
    shown = ", ".join(paths[:_MOST_PATHS]) + (f" and {more} more" if more > 0 else "")
    return f"{counted(len(paths), 'difference', 'differences')}: {shown}"
