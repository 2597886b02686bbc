"""Restarting and recreating units, on every backend."""

from __future__ import annotations

import pytest

COUNTS = """
db: {command: [sleep, infinity]}
web:
  command: [sh, -c, 'echo x >> /tmp/starts; exec sleep infinity']
  depends_on: [db]
  hooks: {after_start: [[sh, -c, 'echo x >> /tmp/hooks']]}
"""


@pytest.mark.executes
def test_a_restart_starts_processes_again_and_keeps_what_they_run_in(stage):
    stage.clear()
    stage.spec(COUNTS).up()
    ids = stage.ids()
    count = "wc -l < /tmp/$0"
    before = [int(stage.run("web", "sh", "-c", count, name)[1]) for name in ("starts", "hooks")]

    result = stage.workspace().restart(stage.target, services=("db",))

    assert [f"{change.action} {change.unit}" for change in result.changes] == [
        "restart db",
        "restart web",
    ]
    after = [int(stage.run("web", "sh", "-c", count, name)[1]) for name in ("starts", "hooks")]
    assert after == [number + 1 for number in before]
    assert stage.ids() == ids
    assert stage.up() == []


def test_to_recreate_a_unit_makes_it_again_alone(stage):
    stage.clear()
    stage.spec(COUNTS).up()
    before = stage.ids()

    result = stage.workspace().up(stage.target, services=("web",), recreate=True)

    assert [f"{change.action} {change.unit}" for change in result.changes] == ["replace web"]
    assert set(stage.states().values()) == {"running"}
    assert stage.ids()["db"] == before["db"]
