"""A backend without an engine: environments are simulated.

It allows trying and testing all of envctl without an engine. Its state is a file in the project's private folder, so it
lasts from one command to the next, like an engine's.

The command ("false",) fails, a task completes at once, and everything else keeps running. A probe whose test is
("false",) fails. Only one unit at a time can have a port of the host.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from envctl.backends.base import Capabilities, Context, Execution, LogLine, NotRunningError
from envctl.backends.common.port_conflict import port_taken
from envctl.backends.memory.entry_file import EntryFile
from envctl.errors import EnvctlError, Problem
from envctl.host.private_state import private_folder, state_folder, state_path
from envctl.plan.artifact import Artifact, Quoted
from envctl.plan.build_causes import build_text
from envctl.plan.changes import Action, Change
from envctl.plan.digest import run_text
from envctl.plan.holdings import Holding, observed_holdings, planned_holdings
from envctl.plan.model import Build, DockerfileBuild, Kind, Plan, ReadyImage, Unit
from envctl.plan.scope import FoundEnvironment, Scope
from envctl.plan.state import Health, Observed, Status, UnitState
from envctl.plan.target import DEFAULT_BACKEND
from envctl.plan.text import plan_text

_FAILS = ("false",)
_FOLDER = "memory"
_SUFFIX = ".jsonl"
_IMAGES = "images"
_UNIT, _VOLUME, _SCOPE, _SHARED, _COUNT = "unit", "volume", "scope", "shared", "made"
"""The kinds of entries of an environment; for units and volumes, a colon and the name follow."""


class _Units:
    """The units of an environment, updated with each entry that changes."""

    def __init__(self) -> None:
        self.states: dict[str, UnitState] = {}
        self._ports: dict[str, dict[str, Holding]] = {}
        self._ports_of: dict[str, list[str]] = {}

    def update(self, entry: str, value: Any) -> None:
        """Apply an entry that was set, or removed (None)."""
        kind, _, name = entry.partition(":")
        if kind != _UNIT:
            return
        for port in self._ports_of.pop(name, ()):
            self._ports[port].pop(name, None)
        if value is None:
            self.states.pop(name, None)
            return
        state = self.states[name] = _state(value)
        for holding in observed_holdings(state) if state.status is Status.RUNNING else ():
            if holding.kind == "port":
                self._ports.setdefault(holding.name, {})[name] = holding
                self._ports_of.setdefault(name, []).append(holding.name)

    def holder(self, port: Holding, *, but: str) -> str:
        """Another running unit that uses the port; "" if there is none."""
        holders = self._ports.get(port.name, {}).items()
        return next((name for name, other in holders if name != but and port.clashes(other)), "")


class MemoryBackend:
    """Records units and images; runs nothing."""

    name = "memory"
    capabilities = Capabilities(executes=False)

    def __init__(self, context: Context) -> None:
        self.context = context
        folder = state_path(Path(context.scope.root), _FOLDER)
        self._folder = folder
        self._has_folder = False
        self._units = _Units()
        self._entries = EntryFile(
            folder / f"{context.scope.environment}{_SUFFIX}", self._units.update
        )
        self._images = EntryFile(folder / f"{_IMAGES}{_SUFFIX}")
        self._guard = threading.Lock()

    def problems(self, plan: Plan) -> Sequence[Problem]:
        """None: the backend can simulate everything."""
        del plan
        return ()

    def check(self) -> None:
        """Do nothing: the backend is always available."""

    def artifacts(self, plan: Plan, *, trust: Path | None = None) -> Sequence[Artifact]:
        """The plan as text."""
        del trust
        return (Artifact("plan.txt", "memory/plan.txt.j2", {"text": Quoted(plan_text(plan))}),)

    def observe(self, plan: Plan | None = None) -> Observed:
        """The recorded state."""
        del plan
        with self._guard:
            entries, images = self._entries.entries(), dict(self._images.entries())
            return Observed(
                dict(self._units.states),
                images,
                frozenset(_named(_VOLUME, entries)),
                ("network",) if _SHARED in entries else (),
            )

    def apply(self, change: Change) -> None:
        """Record the change."""
        with self._guard:
            if not self._has_folder:
                private_folder(Path(self.context.scope.root), _FOLDER)
                self._has_folder = True
            if change.action is not Action.BUILD:
                changes = self._changes(change, self._entries.entries())
                self._entries.write({_SCOPE: asdict(self.context.scope), **changes})
            elif isinstance(change.target, Build | DockerfileBuild):
                self._images.write({change.target.digest: build_text(change.target)})

    def probe(self, unit: Unit) -> tuple[bool, str]:
        """Fails if the test is ("false",)."""
        failing = unit.run.probe is not None and unit.run.probe.test == _FAILS
        return not failing, "false" if failing else "true"

    def exec(self, unit: str, execution: Execution) -> int:
        """EnvctlError: nothing is running."""
        raise NotRunningError(
            f"{unit} is only simulated: the memory backend runs no commands",
            hint=f"`{execution.shown}` needs a real backend, such as @{DEFAULT_BACKEND}",
        )

    def run_hook(self, unit: str, hook: str, execution: Execution) -> int:
        """Succeeds, except for the command ("false",)."""
        if execution.argv == _FAILS:
            return 1
        with self._guard:
            self._entries.entries()
            state = self._units.states[unit]
            self._entries.write(_unit(replace(state, hooks=(*state.hooks, hook))))
        return 0

    def environments(self) -> Sequence[str]:
        """The names of the environments that have units."""
        files = sorted(self._folder.glob(f"*{_SUFFIX}"))
        return [file.stem for file in files if _named(_UNIT, EntryFile(file).entries())]

    def logs(
        self,
        units: Sequence[str],
        *,
        follow: bool = False,
        tail: int | None = None,
        since: float | None = None,
        until: float | None = None,
    ) -> Iterator[LogLine]:
        """EnvctlError: nothing writes logs."""
        del follow, tail, since, until
        if units:
            raise EnvctlError(
                f"{units[0]} is only simulated: the memory backend has no logs",
                hint=f"use a real backend, such as @{DEFAULT_BACKEND}",
            )
        return iter(())

    def everything(self) -> Sequence[FoundEnvironment]:
        """All environments of this user."""
        environments = []
        for file in sorted(state_folder().glob(f"projects/*/{_FOLDER}/*{_SUFFIX}")):
            entries = EntryFile(file).entries()
            units, volumes = _named(_UNIT, entries), _named(_VOLUME, entries)
            running = tuple(
                name for name in units if entries[f"{_UNIT}:{name}"]["status"] == Status.RUNNING
            )
            if _SCOPE in entries and (units or volumes):
                scope = Scope(**entries[_SCOPE])
                environments.append(FoundEnvironment(scope, self.name, units, volumes, running))
        return environments

    def moved(self, former: Path) -> None:
        """Do nothing: the state does not depend on the path of the private folder."""

    def close(self) -> None:
        """Do nothing: no connection is open."""

    # --- changes

    def _changes(self, change: Change, entries: Mapping[str, Any]) -> dict[str, Any]:
        """The entries that a change sets or removes."""
        unit = change.target if isinstance(change.target, Unit) else None
        known = self._units.states
        if unit and change.action not in (Action.STOP, Action.REMOVE):
            self._require_free_ports(unit)
        if change.action in (Action.CREATE, Action.REPLACE, Action.RECONFIGURE) and unit:
            count = entries.get(_COUNT, 0) + 1
            state = _new_state(unit, f"{self.context.scope.project_id}:{count}")
            volumes = {f"{_VOLUME}:{volume.name}": True for volume in unit.run.volumes}
            return {_COUNT: count, _SHARED: True, **volumes, **_unit(state)}
        if change.action in (Action.START, Action.RESTART) and unit:
            old = known[unit.name]
            return _unit(replace(_new_state(unit, old.id), run=old.run))
        if change.action is Action.STOP:
            return _unit(replace(known[change.unit], status=Status.STOPPED, exit_code=0))
        gone = {
            Action.REMOVE: f"{_UNIT}:{change.unit}",
            Action.DELETE_VOLUME: f"{_VOLUME}:{change.unit}",
            Action.TEAR_DOWN: _SHARED,
        }
        return {gone[change.action]: None} if change.action in gone else {}

    def _require_free_ports(self, unit: Unit) -> None:
        """EnvctlError if another running unit has one of the unit's ports."""
        for holding in planned_holdings(unit):
            if holding.kind == "port" and (holder := self._units.holder(holding, but=unit.name)):
                raise port_taken(unit, int(holding.name.partition("/")[0]), by=holder)


def _named(kind: str, entries: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the entries of a kind, sorted."""
    return tuple(
        sorted(entry.partition(":")[2] for entry in entries if entry.startswith(f"{kind}:"))
    )


def _unit(state: UnitState) -> dict[str, Any]:
    """A unit's entry."""
    return {f"{_UNIT}:{state.name}": asdict(state)}


def _state(entry: Mapping[str, Any]) -> UnitState:
    """The unit of an entry."""
    return UnitState(
        **{
            **entry,
            "status": Status(entry["status"]),
            "health": Health(entry["health"]),
            "addresses": tuple(entry["addresses"]),
            "published": {port: tuple(at) for port, at in entry.get("published", {}).items()},
            "hooks": tuple(entry["hooks"]),
        }
    )


def _new_state(unit: Unit, identity: str) -> UnitState:
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
        published={
            f"{port.container}/{port.protocol}": (f"{port.address}:{port.host}",)
            for port in unit.run.ports
            if port.host
        },
    )


def _health(unit: Unit) -> Health:
    probe = unit.run.probe
    failing = probe is not None and probe.test == _FAILS
    return Health.UNHEALTHY if failing else Health.HEALTHY
