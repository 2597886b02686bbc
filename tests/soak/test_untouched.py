"""Twenty comparisons of applications that nobody touches, on both backends: `make soak`."""

from __future__ import annotations

import time

import pytest

from tests.scenarios.test_apps import make_app
from tests.support.apps import NAMES, findings
from tests.support.http import free_port

__all__ = ["make_app"]
pytestmark = [pytest.mark.engine, pytest.mark.machines, pytest.mark.timeout(4 * 3600)]
RUNS = 20


@pytest.mark.parametrize("name", NAMES)
def test_what_nobody_touches_never_differs(machines, make_app, name):
    app = make_app(name, "vagrant")
    for target in ("dev@docker", "dev@vagrant"):
        app.target, app.port = target, free_port()
        app.cli("up", target)
        app.works()
    alarms = {}
    started = time.monotonic()
    for run in range(RUNS):
        if found := list(findings(app, "dev@docker", "dev@vagrant")):
            alarms[run] = found
    print(f"{name}: {RUNS} comparisons, {(time.monotonic() - started) / RUNS:.1f} s each")
    assert alarms == {}
