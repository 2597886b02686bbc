"""A secret's value is looked for everywhere it must not be: on this host and inside the machine."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.scenarios.test_canary import CANARY, found_in_files, watched_command_lines
from tests.support.machines import disks_of

pytestmark = [pytest.mark.engine, pytest.mark.machines, pytest.mark.slow]

INSIDE = (
    'grep -rlsa -e "$1" / --exclude-dir=proc --exclude-dir=sys;'
    ' for line in /proc/[0-9]*/cmdline; do grep -qsa -e "$1" $line && echo $line; done; true'
)


@pytest.mark.core
def test_a_secret_is_nowhere_but_in_its_units_memory(machines, make_project, tmp_path):
    project = make_project(backend="vagrant")
    project.environ = {**project.environ, "TOKEN": CANARY}
    project.spec(
        "web: {command: [sleep, infinity], user: root, secrets: [token]}",
        top="secrets: {token: {env: TOKEN}}\n",
    )
    said = []
    with watched_command_lines() as seen:
        for argv in (["up", "dev"], ["status", "dev"], ["logs", "dev"], ["config", "dev"]):
            done = project.cli(*argv)
            assert done.returncode == 0, done.stderr
            said += [done.stdout, done.stderr]
        assert project.run("web", "cat", "/run/secrets/token")[1] == CANARY
    assert not [text for text in said if CANARY in text]
    assert not [line for line in seen if CANARY.encode() in line]

    # Half of it, so that the search does not find itself.
    code, out, err = project.run(
        "web", "sh", "-c", INSIDE, "search", f"{CANARY[:-1]}[{CANARY[-1]}]"
    )
    assert code == 0, err
    assert set(out.split()) == {"/run/secrets/token"}

    project.workspace().stop(project.target)
    assert found_in_files(project.root) == []
    disks = list(disks_of(project))
    assert len(disks) > 2
    for disk in disks:
        assert not holds(disk, tmp_path), disk


def holds(disk: Path, folder: Path) -> bool:
    """Whether the canary stands in a disk, as it lies there and as a machine sees it."""
    raw = folder / "raw"
    files = [disk]
    with disk.open("rb") as start:
        if start.read(4) == b"QFI\xfb":
            convert = ["qemu-img", "convert", "-O", "raw", str(disk), str(raw)]
            subprocess.run(convert, check=True)
            files.append(raw)
    try:
        return any(
            subprocess.run(["grep", "-qa", CANARY, str(file)], check=False).returncode == 0
            for file in files
        )
    finally:
        raw.unlink(missing_ok=True)
