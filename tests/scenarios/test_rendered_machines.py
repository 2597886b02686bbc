"""What `render` writes for machines: read by the field's own tools, and brought up by Vagrant alone."""

from __future__ import annotations

import os
import subprocess
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest

from envctl.backends.vagrant.box.base_boxes import BaseBoxes
from envctl.backends.vagrant.box.box_store import BoxStore
from tests.support.http import free_port
from tests.support.machines import virsh

pytestmark = [pytest.mark.engine, pytest.mark.machines]


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


SPEC = r"""
db:
  build: [run: "echo db > /kind"]
  command: [sleep, infinity]
  volumes: {data: /data}
  secrets: [token]
  healthcheck: {command: [test, -e, /kind], interval: 1s}
web:
  packages: [netcat-openbsd]
  command: [sh, -c, "while :; do printf 'HTTP/1.0 200 OK\\r\\n\\r\\nhello' | nc -l -N -p 8000; done"]
  ports: ["PORT:8000"]
  depends_on: [db]
"""


@pytest.fixture
def alone(machines, make_project, tmp_path):
    """A rendered folder, the host's port of its service, and how Vagrant is called in it."""
    project = make_project(backend="vagrant")
    port = free_port()
    project.spec(SPEC.replace("PORT", str(port)), top="secrets: {token: {env: TOKEN}}\n")
    session = project.workspace().open(project.target)
    base = session.plan.units[0].source.base
    context = session.backend.context
    box = BaseBoxes(context, BoxStore(context)).ensure("test", base)
    folder = tmp_path / "rendered"
    options = ["--with-host-ca"] if session.backend.context.trust else []
    assert project.cli("render", "dev", "-o", str(folder), *options).returncode == 0
    environ = {"ENVCTL_BOX": box, "TOKEN": "s3cret"}
    yield folder, port, lambda *argv: run("vagrant", *argv, folder=folder, **environ)
    run("vagrant", "destroy", "-f", folder=folder, **environ)
    for name in virsh("vol-list", "default").split():
        if name.startswith(f"{project.name}-"):
            virsh("vol-delete", name, "default")
    for name in virsh("net-list", "--all", "--name").split():
        if name.startswith(f"{project.name}-"):
            virsh("net-destroy", name)
            virsh("net-undefine", name)


def test_vagrant_alone_brings_a_rendered_folder_up(alone):
    folder, port, vagrant = alone
    vagrant("up")

    answer = ""
    deadline = time.monotonic() + 60
    while answer != "hello" and time.monotonic() < deadline:
        with (
            suppress(OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as page,
        ):
            answer = page.read().decode()
    assert answer == "hello"
    seen = vagrant(
        "ssh",
        "db.vm",
        "-c",
        "stat -c '%a %U %T' /run/secrets/token; stat -f -c %T /run/secrets/token; mountpoint /data",
    )
    assert seen.split("\n")[0].startswith("400 db")
    assert "tmpfs" in seen
    assert "is a mountpoint" in seen
    assert "db" in vagrant("ssh", "web", "-c", "getent hosts db")
    assert not [
        path for path in folder.rglob("*") if path.is_file() and b"s3cret" in path.read_bytes()
    ]
