"""The root example in virtual machines, by the command line: prod, and prod beside dev."""

from __future__ import annotations

import fcntl
import json
import subprocess
import uuid
from pathlib import Path

import pytest

from envctl.backends.vagrant import vagrant_cli
from envctl.backends.vagrant.names import MachineNames, vagrant_home
from envctl.plan.target import Target
from tests.support.http import Guestbook, free_port
from tests.support.machines import NOTHING, boot_id, end_connections, left_of

pytestmark = [pytest.mark.engine, pytest.mark.machines, pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture
def prod(machines, make_guestbook):
    """The guestbook; whatever of it is in machines is taken down afterwards."""
    guestbook = make_guestbook()
    yield guestbook
    for target in ("dev@vagrant", "prod@vagrant"):
        guestbook.project.cli("down", target, "--volumes")


@pytest.fixture
def elsewhere(tmp_path):
    """A machine of another folder in Vagrant's list, gone since, whose id begins as one of ours is called."""
    listed = vagrant_home() / "data/machine-index/index"
    machine = {
        "local_data_path": str(tmp_path / "gone/.vagrant"), "name": "other", "provider": "libvirt",
        "state": "running", "vagrantfile_name": None, "vagrantfile_path": str(tmp_path / "gone"),
        "updated_at": None, "extra_data": {},
    }  # fmt: skip
    listed.parent.mkdir(parents=True, exist_ok=True)
    with listed.with_name("index.lock").open("a") as lock:
        # Other machines may be made meanwhile.
        fcntl.flock(lock, fcntl.LOCK_EX)
        data = json.loads(listed.read_text()) if listed.exists() else {"version": 1, "machines": {}}
        data["machines"]["db" + uuid.uuid4().hex[2:]] = machine
        listed.write_text(json.dumps(data))
    yield
    vagrant_cli.forget(tmp_path / "gone")


def changes(guestbook: Guestbook, target: str) -> list[str]:
    """What `up` would do."""
    planned = json.loads(guestbook.cli("plan", target, "--json"))
    return [f"{change['action']} {change['unit']}" for change in planned["changes"]]


def edit(guestbook: Guestbook, old: str, new: str) -> None:
    """Change the overlay of prod."""
    overlay = guestbook.project.root / "environments" / "prod.yaml"
    text = overlay.read_text()
    assert old in text
    overlay.write_text(text.replace(old, new))


def main_process(guestbook: Guestbook) -> str:
    """The process id, inside, of the web server of prod."""
    asked = ["exec", "prod", "web", "--", "pgrep", "-o", "gunicorn"]
    return guestbook.project.cli(*asked).stdout


def test_prod_serves_from_machines_keeps_its_entries_and_leaves_nothing(prod, elsewhere):
    prod.cli("up", "prod")
    assert prod.post("hello, wörld") == 201
    assert prod.texts() == ["hello, wörld"]
    assert "no changes" in prod.cli("up", "prod")

    before = {unit: boot_id(prod.project, "prod", unit) for unit in ("web", "db")}
    process = main_process(prod)
    end_connections(prod.project)
    # A command makes a connection anew, which carries no ports yet.
    assert main_process(prod) == process
    assert changes(prod, "prod") == ["start web"]
    prod.cli("up", "prod")
    assert prod.texts() == ["hello, wörld"]
    assert main_process(prod) == process

    edit(prod, "LOG_LEVEL: warning", "LOG_LEVEL: error")
    assert changes(prod, "prod") == ["reconfigure web"]
    prod.cli("up", "prod")
    process = "tr '\\0' '\\n' < /proc/$(pgrep -o gunicorn)/environ || env"
    seen = prod.project.cli("exec", "prod", "web", "--", "sh", "-c", process)
    assert "LOG_LEVEL=error" in seen.stdout
    assert {unit: boot_id(prod.project, "prod", unit) for unit in before} == before
    assert prod.texts() == ["hello, wörld"]

    prod.cli("down", "prod")
    assert not [one for one in changes(prod, "prod") if one.startswith("build")]
    prod.cli("up", "prod")
    assert prod.texts() == ["hello, wörld"]

    prod.cli("down", "prod", "--volumes")
    assert left_of(prod.project) == NOTHING


@pytest.mark.long
def test_dev_in_containers_and_prod_in_both_are_up_together(prod):
    ports = {}
    for target in ("dev", "prod@docker", "prod"):
        ports[target] = prod.port = free_port()
        prod.cli("up", target)

    for target, port in ports.items():
        prod.port = port
        assert prod.post(f"in {target}") == 201
    for target, port in ports.items():
        prod.port = port
        assert prod.texts() == [f"in {target}"]

    prod.port = ports["prod"]
    prod.cli("down", "prod", "--volumes")
    assert left_of(prod.project)["domains"] == []
    for target in ("dev", "prod@docker"):
        prod.port = ports[target]
        assert prod.texts() == [f"in {target}"]
    prod.cli("down", "prod@docker", "--volumes")


@pytest.mark.long
def test_one_machine_serves_the_whole_guestbook(prod):
    edit(prod, "backend: vagrant", "backend: vagrant\noptions: {vagrant: {layout: single}}")
    prod.cli("up", "prod")
    assert prod.post("together") == 201
    assert prod.texts() == ["together"]
    assert len(left_of(prod.project)["domains"]) == 1
    assert boot_id(prod.project, "prod", "web") == boot_id(prod.project, "prod", "db")
    assert "no changes" in prod.cli("up", "prod")

    before = boot_id(prod.project, "prod", "web")
    edit(prod, "LOG_LEVEL: warning", "LOG_LEVEL: error")
    assert changes(prod, "prod") == ["reconfigure web"]
    prod.cli("up", "prod")
    assert boot_id(prod.project, "prod", "web") == before
    secret = ["exec", "prod", "web", "--", "stat", "-c", "%U", "/run/secrets/db_password"]
    assert prod.project.cli(*secret).stdout == "web\n"

    prod.cli("stop", "prod")
    prod.cli("up", "prod")
    assert prod.texts() == ["together"]
    prod.cli("down", "prod", "--volumes")
    assert left_of(prod.project) == NOTHING


DOCKERFILE = """\
FROM debian:bookworm
RUN useradd --uid 4321 app && mkdir /data && echo seed > /data/seed && chown -R app /data
USER app
WORKDIR /data
ENTRYPOINT ["sh", "-c"]
CMD ["echo started >&2; exec sleep infinity"]
"""


@pytest.fixture
def contained(machines, make_project):
    project = make_project(backend="vagrant")
    project.write("app/Dockerfile", DOCKERFILE)
    return project.spec(
        """
        app:
          dockerfile: app/Dockerfile
          env: {COLOUR: "it's $$blue"}
          volumes: {data: /data}
          secrets: [token]
          healthcheck: {command: [test, -e, /data/seed], interval: 1s}
        ready:
          image: debian:bookworm
          command: [sleep, infinity]
          depends_on: [app]
        """,
        top="secrets: {token: {generate: 20}}\n",
    )


@pytest.mark.long
def test_container_images_run_in_machines(contained, engine: object):
    project = contained
    project.up()

    code, out, _ = project.run(
        "app", "sh", "-c", "id -u; pwd; cat seed; echo $COLOUR; cat /run/secrets/token"
    )
    assert code == 0
    uid, folder, seed, colour, token = out.split("\n")
    assert (uid, folder, seed, colour) == ("4321", "/data", "seed", "it's $blue")
    assert len(token) == 20
    assert "started" in [line.text for line in project.workspace().logs(project.target, ["app"])]
    # It has no probe, and runs by now all the same: its container, not only the client.
    assert project.run("ready", "getent", "hosts", "app")[0] == 0
    assert project.run("app", "sh", "-c", "echo kept > /data/note; exit 3")[0] == 3
    assert project.up() == []

    project.down()
    assert project.up() == ["create app", "create ready"]
    assert project.run("app", "cat", "note")[1] == "kept\n"


def test_no_machine_of_another_project_is_ever_touched(contained):
    """A domain that only looks alike stays."""
    workspace = contained.workspace()
    plan = workspace.plan(Target("dev", "vagrant"))
    assert {unit.name for unit in plan.units} == {"app", "ready"}
    name = f"x{MachineNames(plan.scope).domain('app')}"
    xml = f"<domain type='qemu'><name>{name}</name><memory>65536</memory><os><type>hvm</type></os></domain>"
    file = Path(contained.root, "domain.xml")
    file.write_text(xml)
    subprocess.run(["virsh", "-q", "-c", "qemu:///system", "define", str(file)], check=True)
    try:
        assert contained.down(volumes=True) == []
        listed = subprocess.run(
            ["virsh", "-q", "-c", "qemu:///system", "list", "--all", "--name"],
            check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
        assert name in listed.split()
    finally:
        subprocess.run(["virsh", "-q", "-c", "qemu:///system", "undefine", name], check=True)
