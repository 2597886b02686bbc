"""Plans written in a line or two, for tests of what comes after planning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from envctl.errors import Place
from envctl.plan.build_causes import build_text
from envctl.plan.digest import build_digest, run_text
from envctl.plan.hooks import digests
from envctl.plan.model import (
    Base,
    Build,
    Condition,
    InstallPackages,
    Kind,
    Plan,
    Process,
    ReadyImage,
    Run,
    RunCommand,
    Step,
    Unit,
)
from envctl.plan.scope import Scope
from envctl.plan.state import Health, Observed, Status, UnitState

BASE = Base("debian:bookworm", "debian:bookworm")
SCOPE = Scope("shop", "0a1b2c3d", "dev", "/srv/shop")


def build(*steps: Step, base: Base = BASE) -> Build:
    """A build of these steps, with its digest."""
    return Build(base, steps, build_digest(base, steps), Place("envctl.yaml", 3, 5))


def packages(*names: str) -> InstallPackages:
    """The install step."""
    return InstallPackages(tuple(sorted(names)), Place("envctl.yaml", 4, 5))


def script(text: str) -> RunCommand:
    """A run step with a shell script."""
    return RunCommand(("/bin/sh", "-ec", text), where=Place("envctl.yaml", 7, 9))


def unit(
    name: str,
    *steps: Step,
    env: Mapping[str, str] | None = None,
    argv: Sequence[str] = ("sleep", "infinity"),
    after: Mapping[str, str] | None = None,
    image: str = "",
    kind: str = "service",
    origins: Mapping[str, Place] | None = None,
    **run: Any,
) -> Unit:
    """A unit that runs `argv`, from a build of the steps or from a ready image."""
    return Unit(
        name,
        name,
        ReadyImage(image) if image else build(*steps),
        Run(
            Process(tuple(argv), "root", "/", dict(env or {})),
            aliases=(name,),
            kind=Kind(kind),
            **run,
        ),
        depends_on={key: Condition(value) for key, value in (after or {}).items()},
        where=Place("envctl.yaml", 2, 3),
        origins=dict(origins or {}),
    )


def plan(*units: Unit, scope: Scope = SCOPE) -> Plan:
    """A plan of these units."""
    return Plan(scope, "memory", units)


def made(unit: Unit, **changes: Any) -> UnitState:
    """The state of a unit that was made as it is in the plan, and runs."""
    source = unit.source
    ended = unit.kind is Kind.TASK
    state = UnitState(
        unit.name,
        unit.service,
        Status.EXITED if ended else Status.RUNNING,
        health=Health.HEALTHY if unit.run.probe else Health.NONE,
        exit_code=0 if ended else None,
        build="" if isinstance(source, ReadyImage) else source.digest,
        image=source.image if isinstance(source, ReadyImage) else "",
        run=run_text(unit.run),
        id=f"{unit.name}#1",
        hooks=digests(unit),
    )
    return replace(state, **changes)


def observed(*units: Unit, **changes: Any) -> Observed:
    """What is there after these units were made."""
    images = {
        one.source.digest: build_text(one.source) for one in units if isinstance(one.source, Build)
    }
    return Observed({one.name: made(one) for one in units}, images, **changes)
