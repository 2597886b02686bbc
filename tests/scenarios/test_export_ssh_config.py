"""`envctl export ssh-config` describes machines that run; without any it says how to start them."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.engine, pytest.mark.machines, pytest.mark.slow]


def test_without_machines_it_names_the_command_that_brings_them_up(make_project, machines):
    project = make_project(backend="vagrant").spec("web: {command: [sleep, infinity]}")

    done = project.cli("export", "ssh-config", "dev", "-o", str(project.root / "out"))

    assert done.returncode == 1
    assert "no machine of dev is running" in done.stderr
    assert "envctl up dev" in done.stderr
    assert not (project.root / "out").exists()
