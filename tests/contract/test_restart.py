"""Restarting and recreating units, on every backend."""

from __future__ import annotations

import pytest

COUNTS = """
db: {command: [sh, -c, 'echo x >> /tmp/starts; exec sleep infinity']}
web:
  command: [sh, -c, 'echo x >> /tmp/starts; exec sleep infinity']
  depends_on: [db]
  hooks: {after_start: [[sh, -c, 'echo x >> /tmp/hooks']]}
"""


@pytest.mark.executes
def test_a_restart_starts_processes_anew_and_keeps_what_they_run_in(stage):
    stage.clear()
    stage.spec(COUNTS).up()
    ids = stage.ids()

    result = stage.workspace().restart(stage.target, services=("db",))

    assert [f"{change.action} {change.unit}" for change in result.changes] == [
        "restart db",
        "restart web",
    ]
    count = "cat /tmp/$0 | wc -l"
    assert stage.run("web", "sh", "-c", count, "starts", user="root")[1].strip() == "2"
    assert stage.run("web", "sh", "-c", count, "hooks", user="root")[1].strip() == "2"
    assert stage.ids() == ids
    assert stage.up() == []


def test_to_recreate_a_unit_makes_it_anew_alone(stage):
    stage.clear()
    stage.spec(COUNTS).up()
    before = stage.ids()

    result = stage.workspace().up(stage.target, services=("web",), recreate=True)

    assert [f"{change.action} {change.unit}" for change in result.changes] == ["replace web"]
    assert set(stage.states().values()) == {"running"}
    assert stage.ids()["db"] == before["db"]
