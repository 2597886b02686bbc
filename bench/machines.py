"""Compares with Vagrant: an empty box, and a handwritten Vagrantfile for the guestbook's web service."""

from __future__ import annotations

import shutil
import subprocess
import uuid
from pathlib import Path

from bench.measure import ENVIRON, Command, Result, compare, said
from envctl.host import ca_bundle

PEER = "vagrant"
TREE = Path(__file__).parents[1]
BOX = "envctl/debian-bookworm"
"""The box that envctl makes of the base: smaller and faster than the boxes in Vagrant's catalogue."""

SPEC = """\
project: NAME
base: debian:bookworm
options: {vagrant: {memory: 512M, cpus: 1}}
services:
"""
WEB = """\
  web:
    build:                       # the first step is this project's own: nothing of it is in a cache
      - run: "apt-get update -q && apt-get install -y -q --no-install-recommends python3 python3-venv # NAME"
      - copy: {from: requirements.txt, to: /srv/web/}
      - pip: {venv: /opt/web, requirements: /srv/web/requirements.txt}
      - copy: {from: guestbook/, to: /srv/web/}
    user: web
    command: [sleep, infinity]
"""
EMPTY = """\
  second:
    command: [sleep, infinity]
"""
BASE = """\
  third:
    build: [{run: "true # NAME"}]
    command: [sleep, infinity]
    options: {vagrant: {build: provision}}
"""
"""Provisioned, so that envctl makes the box of its base."""
VAGRANTFILE = """\
Vagrant.configure("2") do |config|
  config.vm.box = "BOX"
  config.vm.box_check_update = false
  config.vm.provider :libvirt do |libvirt|
    libvirt.driver = KVM
    libvirt.cpu_mode = "custom"
    libvirt.cpu_model = "qemu64"
    libvirt.memory = 512
    libvirt.cpus = 1
    libvirt.graphics_type = "none"
  end
PROVISION
end
"""
PROVISION = """\
  config.vm.provision "file", source: "requirements.txt", destination: "/tmp/requirements.txt"
  config.vm.provision "file", source: "guestbook", destination: "/tmp/guestbook"
  config.vm.provision "file", source: "ca.crt", destination: "/tmp/ca.crt"
  config.vm.provision "shell", inline: <<~'SHELL'
    set -eu
    export DEBIAN_FRONTEND=noninteractive
    printf 'Acquire::https::CaInfo "/tmp/ca.crt";\\n' >/etc/apt/apt.conf.d/ca
    apt-get update -q
    apt-get install -y -q --no-install-recommends python3 python3-venv
    useradd --create-home web
    mkdir -p /srv/web
    python3 -m venv /opt/web
    PIP_CERT=/tmp/ca.crt /opt/web/bin/pip install -q -r /tmp/requirements.txt
    cp -r /tmp/guestbook/. /srv/web/
    systemd-run --unit=web --uid=web sleep infinity
  SHELL
"""


def measure(envctl: str, folder: Path) -> list[Result]:
    """Run all measurements in a folder."""
    one, two, base = (
        spec(folder / "one", WEB),
        spec(folder / "two", WEB, EMPTY),
        spec(folder / "base", EMPTY, BASE),
    )
    empty, provisioned = vagrantfile(folder / "empty"), vagrantfile(folder / "web", PROVISION)

    def ours(where: Path, *argv: str, fresh: bool = False) -> Command:
        down = Command([envctl, "down", "dev"], where)
        command = Command([envctl, *argv], where)
        return Command(command.argv, where, before=down.seconds) if fresh else command

    def peer(where: Path, *argv: str, fresh: bool = False) -> Command:
        gone = Command(["vagrant", "destroy", "-f"], where)
        command = Command(["vagrant", *argv], where)
        return Command(command.argv, where, before=gone.seconds) if fresh else command

    try:
        # Both have the base's image, box and kernel before the measurement.
        ours(base, "up", "dev").seconds()
        ours(base, "down", "dev").seconds()
        return [
            compare(
                "first `up` of web, nothing built yet",
                ours(one, "up", "dev"),
                peer(provisioned, "up", fresh=True),
                aim=0.7, runs=1, warm=False,
            ),
            compare(
                "`up` from destroyed; an empty box",
                ours(one, "up", "dev", fresh=True),
                peer(empty, "up", fresh=True),
                aim=1.1, runs=3, warm=False,
            ),
            compare("`up`, nothing to do", ours(one, "up", "dev"), peer(empty, "up"), aim=0.15, runs=5),
            compare("`status`", ours(one, "status", "dev"), peer(empty, "status"), aim=0.15, runs=5),
            compare(
                "`exec true`",
                ours(one, "exec", "dev", "web", "--", "true"),
                peer(empty, "ssh", "-c", "true"),
                aim=0.15, runs=5,
            ),
            compare(
                "`up` of two machines from destroyed; of one, both by envctl",
                ours(two, "up", "dev", fresh=True),
                ours(one, "up", "dev", fresh=True),
                aim=1.5, runs=2,
            ),
        ]  # fmt: skip
    finally:
        for where in (one, two, base):
            subprocess.run(
                [envctl, "down", "dev", "--volumes"], cwd=where, env=ENVIRON, check=False
            )
        for where in (empty, provisioned):
            subprocess.run(["vagrant", "destroy", "-f"], cwd=where, env=ENVIRON, check=False)


def about() -> str:
    """The versions and conditions of the measurement."""
    return f"{said('vagrant', '--version')}, {said('qemu-img', '--version')}, {'KVM' if kvm() else 'no KVM'}."


def kvm() -> bool:
    """Whether the processor supports KVM."""
    flags = Path("/proc/cpuinfo").read_text()
    return Path("/dev/kvm").exists() and (" vmx" in flags or " svm" in flags)


def spec(folder: Path, *services: str) -> Path:
    """A project with these services, which shares no builds with other projects."""
    guestbook(folder)
    (folder / "environments").mkdir()
    (folder / "environments/dev.yaml").write_text("backend: vagrant\n")
    name = f"bench-{uuid.uuid4().hex[:8]}"
    (folder / "envctl.yaml").write_text("".join([SPEC, *services]).replace("NAME", name))
    return folder


def vagrantfile(folder: Path, provision: str = "") -> Path:
    """The folder of the peer."""
    guestbook(folder)
    bundle = ca_bundle.bundle(ENVIRON) or "/etc/ssl/certs/ca-certificates.crt"
    shutil.copy(bundle, folder / "ca.crt")
    text = VAGRANTFILE.replace("BOX", BOX).replace("PROVISION", provision)
    if kvm():
        text = text.replace('"custom"', '"host-passthrough"').replace(
            '    libvirt.cpu_model = "qemu64"\n', ""
        )
    (folder / "Vagrantfile").write_text(text.replace("KVM", '"kvm"' if kvm() else '"qemu"'))
    return folder


def guestbook(folder: Path) -> None:
    """The example's files for its web service."""
    example = TREE / "examples" / "guestbook"
    shutil.copytree(example, folder / "guestbook", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(example / "requirements.txt", folder)
