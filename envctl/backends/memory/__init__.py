"""A backend without an engine: environments that exist on paper only.

Shipped so that the whole chain can be tried, and tested, where no engine is. Its state is a file
in the project's private folder, so it lasts from one command to the next like an engine's.

A process is played by its argv: ("false",) fails, a task ends at once, all else runs. A probe
whose test is ("false",) fails. A port of the host is one unit's at a time.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from envctl.backends.base import Capabilities, Context, Execution, LogLine, NotRunningError
from envctl.backends.building import Beside
from envctl.backends.taken import port_taken
from envctl.errors import EnvctlError, Problem
from envctl.plan.artifact import Artifact, Quoted
from envctl.plan.build_causes import build_text
from envctl.plan.changes import Action, Change
from envctl.plan.digest import run_text
from envctl.plan.holdings import held, wanted
from envctl.plan.model import Base, Build, DockerfileBuild, Kind, Plan, ReadyImage, Source, Unit
from envctl.plan.scope import Found, Scope
from envctl.plan.state import Health, Observed, Status, UnitState
from envctl.plan.text import plan_text
from envctl.private import private_folder, state_folder, state_path

_FAILS = ("false",)
_FOLDER = "memory"


@dataclass(slots=True)
class _World:
    units: dict[str, UnitState] = field(default_factory=dict)
    volumes: list[str] = field(default_factory=list)
    shared: bool = False
    made: int = 0
    scope: dict[str, str] = field(default_factory=dict)


class MemoryBackend:
    """Keeps book of units and images; does nothing else."""

    name = "memory"
    capabilities = Capabilities(executes=False)

    def __init__(self, context: Context) -> None:
        self.context = context
        folder = state_path(Path(context.scope.root), _FOLDER)
        self._file = folder / f"{context.scope.environment}.json"
        self._images = folder / "images.json"
        self._guard = threading.Lock()

    def problems(self, plan: Plan) -> Sequence[Problem]:
        """It can do everything, since it does nothing."""
        del plan
        return ()

    def arrange(self, plan: Plan) -> Plan:
        """Each unit is for itself already."""
        return plan

    def beside(self, source: Source | Base) -> Sequence[Beside]:
        """The image is all there is to it."""
        del source
        return ()

    def box_checksum(self, base: Base) -> str:
        """There are no boxes here."""
        del base
        return ""

    def provisions(self, build: Build) -> bool:
        """Units are made of images."""
        del build
        return False

    def hold_to(self, made_of: Mapping[str, str]) -> bool:
        """Units are made of the images themselves."""
        del made_of
        return False

    def check(self) -> None:
        """It is always there."""

    def artifacts(self, plan: Plan, *, trust: Path | None = None) -> Sequence[Artifact]:
        """The plan as text."""
        del trust
        return (Artifact("plan.txt", "memory/plan.txt.j2", {"text": Quoted(plan_text(plan))}),)

    def observe(self, plan: Plan | None = None) -> Observed:
        """What the book says."""
        del plan
        with self._guard:
            world, images = self._world(), self._read(self._images)
        return Observed(
            world.units,
            images,
            frozenset(world.volumes),
            ("network",) if world.shared else (),
        )

    def apply(self, change: Change) -> None:
        """Enter the change in the book."""
        with self._guard:
            if change.action is Action.BUILD:
                self._build(change)
                return
            world = self._world()
            world.scope = asdict(self.context.scope)
            self._enter(world, change)
            self._write(self._file, _plain(world))

    def probe(self, unit: Unit) -> tuple[bool, str]:
        """Fails for a test of ("false",)."""
        failing = unit.run.probe is not None and unit.run.probe.test == _FAILS
        return not failing, "false" if failing else "true"

    def exec(self, unit: str, execution: Execution) -> int:
        """Nothing runs here. EnvctlError."""
        raise NotRunningError(
            f"{unit} exists on paper only: the memory backend runs no commands",
            hint=f"`{execution.shown}` needs a real backend, for instance @docker",
        )

    def run_hook(self, unit: str, hook: str, execution: Execution) -> int:
        """Fails for an argv of ("false",); all others end well, on paper."""
        if execution.argv == _FAILS:
            return 1
        with self._guard:
            world = self._world()
            state = world.units[unit]
            world.units[unit] = replace(state, hooks=(*state.hooks, hook))
            self._write(self._file, _plain(world))
        return 0

    def environments(self) -> Sequence[str]:
        """Those with a book that has units."""
        files = sorted(self._file.parent.glob("*.json"))
        return [
            file.stem for file in files if file != self._images and self._read(file).get("units")
        ]

    def logs(
        self, units: Sequence[str], *, follow: bool = False, tail: int | None = None
    ) -> Iterator[LogLine]:
        """Nothing logs here. EnvctlError."""
        del follow, tail
        if units:
            raise EnvctlError(
                f"{units[0]} exists on paper only: the memory backend has no logs",
                hint="another backend has, for instance @docker",
            )
        return iter(())

    def everything(self) -> Sequence[Found]:
        """All environments in this user's books."""
        found = []
        for file in sorted(state_folder().glob(f"projects/*/{_FOLDER}/*.json")):
            data = self._read(file)
            if scope := data.get("scope"):
                units, volumes = tuple(data["units"]), tuple(data["volumes"])
                if units or volumes:
                    found.append(Found(Scope(**scope), self.name, units, volumes))
        return found

    def moved(self, former: Path) -> None:
        """Nothing here is found by the project's private folder."""

    def close(self) -> None:
        """Nothing is open."""

    # --- the book

    def _build(self, change: Change) -> None:
        if not isinstance(change.target, Build | DockerfileBuild):
            return
        images = self._read(self._images)
        images[change.target.digest] = build_text(change.target)
        self._write(self._images, images)

    def _enter(self, world: _World, change: Change) -> None:
        unit = change.target if isinstance(change.target, Unit) else None
        _require_free_ports(world, change)
        if change.action in (Action.CREATE, Action.REPLACE, Action.RECONFIGURE) and unit:
            world.made += 1
            world.shared = True
            world.units[unit.name] = _made(unit, f"{self.context.scope.project_id}:{world.made}")
            names = {volume.name for volume in unit.run.volumes}
            world.volumes = sorted({*world.volumes, *names})
        elif change.action is Action.START and unit:
            old = world.units[unit.name]
            world.units[unit.name] = replace(_made(unit, old.id), run=old.run)
        elif change.action is Action.STOP:
            old = world.units[change.unit]
            world.units[change.unit] = replace(old, status=Status.STOPPED, exit_code=0)
        elif change.action is Action.REMOVE:
            world.units.pop(change.unit, None)
        elif change.action is Action.DISCARD:
            world.volumes = [name for name in world.volumes if name != change.unit]
        elif change.action is Action.DISMANTLE:
            world.shared = False

    def _world(self) -> _World:
        data = self._read(self._file)
        units = {
            name: UnitState(
                **{
                    **state,
                    "status": Status(state["status"]),
                    "health": Health(state["health"]),
                    "addresses": tuple(state["addresses"]),
                    "hooks": tuple(state.get("hooks", ())),
                }
            )
            for name, state in data.get("units", {}).items()
        }
        return _World(
            units, data.get("volumes", []), data.get("shared", False), data.get("made", 0)
        )

    def _read(self, path: Path) -> dict[str, Any]:
        try:
            data = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return data if isinstance(data, dict) else {}

    def _write(self, path: Path, data: object) -> None:
        private_folder(Path(self.context.scope.root), _FOLDER)
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(data, indent=1, sort_keys=True), "utf-8")
        fresh.replace(path)


def _require_free_ports(world: _World, change: Change) -> None:
    """EnvctlError if another unit that runs has a port of the unit's: the host has each once."""
    if not isinstance(change.target, Unit) or change.action in (Action.STOP, Action.REMOVE):
        return
    for one in wanted(change.target):
        for name, state in world.units.items():
            taken = one.kind == "port" and any(one.clashes(other) for other in held(state))
            if taken and name != change.unit and state.status is Status.RUNNING:
                raise port_taken(change.target, int(one.name.partition("/")[0]), by=name)


def _plain(world: _World) -> object:
    return asdict(world)


def _made(unit: Unit, identity: str) -> UnitState:
    fails = unit.run.process.argv == _FAILS
    ended = fails or unit.kind is Kind.TASK
    probe = unit.run.probe
    return UnitState(
        unit.name,
        unit.service,
        Status.EXITED if ended else Status.RUNNING,
        replica=unit.replica,
        health=Health.NONE if probe is None or ended else _health(unit),
        exit_code=(1 if fails else 0) if ended else None,
        build="" if isinstance(unit.source, ReadyImage) else unit.source.digest,
        image=unit.source.image if isinstance(unit.source, ReadyImage) else "",
        run=run_text(unit.run),
        id=identity,
        addresses=tuple(f"{port.address}:{port.host}" for port in unit.run.ports if port.host),
    )


def _health(unit: Unit) -> Health:
    probe = unit.run.probe
    failing = probe is not None and probe.test == _FAILS
    return Health.UNHEALTHY if failing else Health.HEALTHY
