"""A project that stays up from test to test: what is expensive is made once, and each test says what runs there now."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from textwrap import dedent
from typing import Any, Final

import yaml

from tests.support.project import Project

COMMON: Final[dict[str, Any]] = {
    "packages": ["procps", "python3"],
    "user": "web",
    "workdir": "/srv/web",
    "volumes": {"data": "/data"},
    "mounts": {"./live": "/srv/live"},
    # What a login as root would show is no part of what a command prints.
    "build": [
        {
            "run": "mkdir -p /root/.ssh; echo 'echo hello' >> /root/.bashrc;"
            " cp /root/.bashrc /root/.profile; cp /root/.bashrc /root/.ssh/rc"
        }
    ],
}
"""What every service of a stage has: one build, and all that a machine is made for."""

_TOP: Final = {"vagrant": {"layout": "single", "memory": "1536m"}}
_FLOOR: Final = "stage"
"""A unit that is always there, so that the machine is."""


@dataclass
class Stage(Project):
    """Units of equal builds, on machines all in one; see the fixture `stage`."""

    def spec(self, services: str, *, top: str = "", environment: str = "") -> Stage:
        """Write the spec: what each service has, added to COMMON."""
        given = yaml.safe_load(dedent(services)) or {}
        given[_FLOOR] = {"command": ["sleep", "987654321"]}
        head = {"project": self.name, "base": "debian:bookworm", "options": _TOP}
        more = yaml.safe_load(dedent(top)) or {}
        whole = {"services": {name: {**deepcopy(COMMON), **keys} for name, keys in given.items()}}
        text = yaml.safe_dump({**head, **more, **whole}, allow_unicode=True, sort_keys=False)
        self.write("envctl.yaml", text)
        (self.root / "live").mkdir(exist_ok=True)
        overlay = dedent(environment) or f"backend: {self.backend}\n"
        self.write("environments/dev.yaml", overlay)
        return self

    def clear(self) -> None:
        """Remove the units of earlier tests."""
        self.spec("").up()

    def states(self) -> dict[str, str]:
        """The state of each unit of the test."""
        return {unit: state for unit, state in super().states().items() if unit != _FLOOR}

    def ids(self) -> dict[str, str]:
        """The incarnation of each unit of the test."""
        return {unit: one for unit, one in super().ids().items() if unit != _FLOOR}
