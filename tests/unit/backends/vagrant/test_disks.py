"""The script by which images make disks of themselves."""

from __future__ import annotations

import subprocess
from importlib.resources import files


def test_shellcheck_has_nothing_to_say():
    path = str(files("envctl.backends.vagrant") / "disk.sh")
    done = subprocess.run(
        ["shellcheck", "--shell=sh", path], capture_output=True, text=True, check=False
    )
    assert not done.stdout
