"""The wheel, installed away from the tree, is all a user needs."""

from __future__ import annotations

import os
import subprocess
import sys
import venv

import pytest

from tests.support.http import free_port
from tests.support.project import TREE, unique

pytestmark = [pytest.mark.engine, pytest.mark.slow]


def run(*argv, cwd, **environ):
    done = subprocess.run(
        [str(word) for word in argv],
        cwd=cwd,
        env={**{key: value for key, value in os.environ.items() if key != "PYTHONPATH"}, **environ},
        capture_output=True,
        text=True,
        timeout=580,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_init_and_up_work_from_an_installed_wheel(engine, tmp_path):
    dist, home, work = tmp_path / "dist", tmp_path / "venv", tmp_path / unique("starter")
    run(sys.executable, "-m", "pip", "wheel", "--no-deps", "-q", "-w", dist, TREE, cwd=tmp_path)
    (wheel,) = dist.glob("envctl-*.whl")
    venv.create(home, with_pip=True)
    run(home / "bin" / "pip", "install", "-q", wheel, cwd=tmp_path)
    work.mkdir()
    envctl = home / "bin" / "envctl"

    run(envctl, "init", cwd=work)
    try:
        port = {"ENVCTL_VAR_port": str(free_port())}
        said = run(envctl, "up", "dev", cwd=work, **port)
        assert "http://127.0.0.1:" in said
        assert '"healthy"' in run(envctl, "status", "dev", "--json", cwd=work, **port)
    finally:
        run(envctl, "down", "dev", "--volumes", cwd=work)
