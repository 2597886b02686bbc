"""What `render` writes for machines, read by the field's own tools. No machine is started."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.contract.test_processes import AWKWARD

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


def test_awkward_values_are_quoted_for_every_file(machines, make_project, tmp_path):
    project = make_project(backend="vagrant")
    project.write("it's `a` $x/page", "page")
    service = {
        "build": [
            {"copy": {"from": "it's `a` $x", "to": "/srv/it's `a` $x/"}},
            {"run": {"command": ["printf", "%s", *AWKWARD], "env": {"A": "".join(AWKWARD)}}},
            {"run": 'echo it\'s `id` \\\n  && echo "$HOME" # <<EOF'},
        ],
        "workdir": "/srv/it's `a` #{x} $x",
        "command": ["echo", *AWKWARD],
        "env": {"AWKWARD": "".join(AWKWARD)},
        "volumes": {"data": "/data/it's #{x}"},
        "healthcheck": {"command": ["test", *AWKWARD]},
    }
    project.spec("web: " + json.dumps(service, ensure_ascii=False).replace("$", "$$"))
    folder = tmp_path / "rendered"
    done = project.cli("render", "dev", "-o", str(folder))
    assert done.returncode == 0, done.stderr

    inspect(folder)
    script = (
        (folder / "units/web/run")
        .read_bytes()
        .decode()
        .replace("exec /usr/bin/env", "/usr/bin/env", 1)
    )
    argv = "import sys, json; print(json.dumps(sys.argv[1:]))"
    read = subprocess.run(
        ["sh", "-c", script.replace(" echo '", f" python3 -c '{argv}' '", 1).replace("cd -- ", ": ", 1)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(read.stdout) == AWKWARD
