"""Day one: a clone on a machine that has Python, make and git, and no Docker engine.

The machine is a container that may run an engine of its own: nothing of the outer engine is visible
in it, and its engine comes from the distribution's packages.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from envctl.host import ca_bundle
from tests.conftest import ARTIFACTS
from tests.support.project import TREE, unique

pytestmark = [
    pytest.mark.engine,
    pytest.mark.slow,
    pytest.mark.timeout(1800),
]

HOME = "/root/envctl"
BUNDLE = "/etc/ssl/outer-ca.crt"
PASSED_ON = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "PIP_INDEX_URL", "PIP_DEFAULT_TIMEOUT")
CLIENT = """
import json, sys, urllib.request
method, path, text = sys.argv[1:]
data = json.dumps({"text": text}).encode() if method == "POST" else None
request = urllib.request.Request("http://127.0.0.1:8080" + path, data,
                                 {"Content-Type": "application/json"}, method=method)
with urllib.request.urlopen(request, timeout=20) as answer:
    print(answer.status, answer.read().decode())
"""


class Machine:
    """A container that plays a machine; all it says is kept in a log."""

    def __init__(self, client, folder: Path) -> None:
        self.client = client
        self.api = client.api
        self.folder = folder
        self.environ = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        bundle = ca_bundle.bundle(os.environ)
        if bundle is not None:
            self.environ |= dict.fromkeys(("PIP_CERT", "SSL_CERT_FILE"), BUNDLE)
        self.id = self._create()
        self.api.start(self.id)
        if bundle is not None:
            self.put(BUNDLE, bundle.read_bytes())

    def _create(self) -> str:
        host = self.api.create_host_config(
            init=True,
            cap_add=["ALL"],
            # Where the host itself lacks it, an engine refuses to give it.
            cap_drop=["SYS_RESOURCE"],
            security_opt=["seccomp=unconfined", "apparmor=unconfined"],
            binds=["/sys/fs/cgroup:/sys/fs/cgroup:rw"],
        )
        # What the command line's "systempaths=unconfined" stands for.
        host["MaskedPaths"] = host["ReadonlyPaths"] = []
        made = self.api.create_container(
            "debian:bookworm",
            ["sleep", "infinity"],
            name=unique("fresh-machine"),
            environment=self.environ,
            host_config=host,
            volumes=["/var/lib/docker"],
        )
        return str(made["Id"])

    def put(self, path: str, content: bytes) -> None:
        """Write a file in the machine."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        self.api.put_archive(self.id, "/", buffer.getvalue())

    def carry_in(self, folder: Path, target: str) -> None:
        """Copy a folder into the machine; root owns it there."""

        def as_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = "root"
            return entry

        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            archive.add(folder, target.lstrip("/"), filter=as_root)
        self.api.put_archive(self.id, "/", buffer.getvalue())

    def run(self, *argv: str) -> str:
        """Run a command to its end; it has to succeed. What it said."""
        with (self.folder / "machine.log").open("a+b") as log:
            log.write(f"$ {' '.join(argv)}\n".encode())
            log.flush()
            start = log.tell()
            done = subprocess.run(
                ["docker", "exec", "--workdir", HOME, self.id, *argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                check=False,
            )
            log.seek(start)
            text = log.read().decode("utf-8", "replace")
        shown = "\n".join(text.splitlines()[-60:])
        assert done.returncode == 0, f"{argv}: {done.returncode}\n{shown}"
        return text

    def http(self, method: str, path: str, text: str = "") -> tuple[int, str]:
        """A request to the guestbook, made in the machine."""
        status, _, body = self.run("python3", "-c", CLIENT, method, path, text).partition(" ")
        return int(status), body

    def remove(self) -> None:
        """Remove the machine, its engine's volume and all."""
        self.api.remove_container(self.id, v=True, force=True)


@pytest.fixture(scope="module")
def machine(engine, tmp_path_factory):
    """A clone of the last commit in a machine with python3-venv, make and git."""
    folder = ARTIFACTS / "fresh-machine"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "machine.log").unlink(missing_ok=True)
    clone = tmp_path_factory.mktemp("fresh") / "envctl"
    subprocess.run(
        ["git", "clone", "-q", "--depth", "1", TREE.as_uri(), clone],
        check=True,
        stdin=subprocess.DEVNULL,
    )
    made = Machine(engine, folder)
    try:
        made.carry_in(clone, HOME)
        made.run("apt-get", "update", "-q")
        made.run(
            "apt-get",
            "install",
            "-y",
            "-q",
            "--no-install-recommends",
            *["python3-venv", "make", "git"],
        )
        yield made
    finally:
        made.remove()


def test_make_up_on_a_machine_without_docker_ends_with_the_guestbook_answering(machine):
    assert "absent" in machine.run("sh", "-c", "command -v dockerd docker || echo absent")

    said = machine.run("make", "up")

    assert "http://127.0.0.1:8080" in said
    assert "bootstrapped with mmdebstrap" in said
    assert machine.http("GET", "/healthz")[0] == 200
    assert machine.http("POST", "/entries", "day one")[0] == 201
    status, body = machine.http("GET", "/entries")
    assert status == 200
    assert [entry["text"] for entry in json.loads(body)] == ["day one"]


def test_make_up_a_second_time_installs_and_changes_nothing(machine):
    machine.run("make", "up")
    ids = machine.run("docker", "ps", "-q", "--no-trunc")

    said = machine.run("make", "up")

    assert machine.run("docker", "ps", "-q", "--no-trunc") == ids
    assert "install docker.io" not in said
    assert "pip install" not in said
    assert machine.http("GET", "/healthz")[0] == 200
