"""What `render` writes for machines, read by the field's own tools. No machine is started."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.engine, pytest.mark.machines, pytest.mark.core]


def run(*argv: str, folder: Path, **environ: str) -> str:
    """What a tool says; it has to be content."""
    done = subprocess.run(
        argv, cwd=folder, env={**os.environ, **environ}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{argv}: {done.stdout}\n{done.stderr}"
    return done.stdout


def inspect(folder: Path) -> None:
    """Have every file looked at."""
    scripts = sorted(str(path) for path in folder.rglob("*.sh") if "context" not in path.parts)
    assert scripts
    run("shellcheck", *scripts, folder=folder)
    # What looks like a variable in quotes is a value of the spec there, and is to stay as it is.
    processes = map(str, folder.glob("units/*/run"))
    run("shellcheck", "--shell=sh", "--exclude=SC2016,SC1003", *processes, folder=folder)
    for file in (folder / "Vagrantfile", *folder.rglob("*.rb")):
        run("ruby", "-wc", str(file), folder=folder)
    run("vagrant", "validate", folder=folder)
    for provider in ("virtualbox", "hyperv"):
        run("vagrant", "validate", "--ignore-provider", folder=folder, VAGRANT_DEFAULT_PROVIDER=provider)  # fmt: skip


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_the_guestbooks_folder_is_well_formed_and_the_same_each_time(
    machines, make_guestbook, environment, tmp_path
):
    guestbook = make_guestbook()
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        guestbook.cli("render", f"{environment}@vagrant", "-o", str(folder))
    one, two = (
        {
            path.relative_to(folder): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }
        for folder in folders
    )
    assert one == two
    inspect(folders[0])
