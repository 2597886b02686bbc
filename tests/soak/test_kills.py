"""A hundred runs killed, on both backends: `make soak`."""

from __future__ import annotations

import pytest

from tests.support.kills import Harness, kill_runs, told

pytestmark = [pytest.mark.engine, pytest.mark.timeout(4 * 3600)]


@pytest.mark.parametrize(
    ("backend", "rounds"),
    [("docker", 17), pytest.param("vagrant", 4, marks=pytest.mark.machines)],
)
def test_every_killed_run_is_taken_up_by_the_next(request, make_project, engine, backend, rounds):
    if backend == "vagrant":
        request.getfixturevalue("machines")
    harness = Harness(make_project(backend=backend), engine)
    kill_runs(harness, rounds)
    print(told(harness))
    assert harness.failures == []
    # Five verbs a round; a run that was quicker than the first of its kind may have ended before its kill.
    assert len(harness.killed) >= 4 * rounds
