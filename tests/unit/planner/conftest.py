"""Plans made from specs written in a test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from envctl import definition
from envctl.plan.model import Plan
from envctl.plan.plan_changes import with_digests
from envctl.plan.text import plan_text
from envctl.planner.make_plan import make_plan
from envctl.render.templates import render_text
from tests.unit.definition.helpers import HEAD, write

Planner: TypeAlias = Callable[..., Plan]


@pytest.fixture
def planned(tmp_path: Path) -> Planner:
    """Make the plan of an environment of a spec; `services` is what stands below `services:`."""

    def make(
        services: str,
        *,
        top: str = HEAD,
        environment: str = "dev",
        backend: str = "memory",
        digests: dict[str, str] | None = None,
        **overlays: str,
    ) -> Plan:
        write(tmp_path, f"{top}services:\n{services}", **overlays)
        resolved = definition.load(tmp_path, environment, environ={}, cache=False)
        plan = make_plan(resolved, backend=backend, render_text=render_text)
        return with_digests(plan, digests or {})

    return make


def lines(plan: Plan, name: str = "") -> list[str]:
    """The plan's text form without the place of the checkout; of one unit if it is named."""
    text = plan_text(plan).replace(plan.scope.root, "ROOT")
    found: list[str] = []
    inside = not name
    for line in text.splitlines():
        if not line.startswith("  "):
            inside = not name or line.partition(":")[0].endswith(f" {name}")
        if inside:
            found.append(line)
    return found


@pytest.fixture
def app(tmp_path: Path) -> Path:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "main.py").write_text("print()\n")
    (tmp_path / "app" / "web.j2").write_text("{{ workers }} on {{ port }}\n")
    return tmp_path / "app"
