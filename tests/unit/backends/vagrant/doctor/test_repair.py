"""From a machine with nothing to one that runs machines, in one run of `doctor --fix`."""

from __future__ import annotations

import os
from typing import ClassVar

from envctl.backends.docker.doctor import findings as engine_findings
from envctl.backends.docker.doctor import start as start_module
from envctl.backends.vagrant.doctor import findings as machine_findings
from envctl.doctor.host import Outcome
from envctl.doctor.repair import fix
from tests.support.fake_host import ABSENT, NO_LIBVIRT, RUNNING, VIRSH, FakeHost


def words(host):
    """What was run, without apt's options."""
    return [
        " ".join(word for word in argv if not word.startswith("-") and "::" not in word)
        for argv in host.ran
    ]


class Debian:
    """A machine where apt brings programs, daemons run once started, and no init system does."""

    COMES_WITH: ClassVar = {
        "vagrant": ["vagrant"],
        "libvirt-daemon-system": ["libvirtd", "virtlogd"],
        "libvirt-clients": ["virsh"],
        "qemu-system-x86": ["qemu-system-x86_64"],
        "qemu-utils": ["qemu-img"],
        "dnsmasq-base": ["dnsmasq"],
        "iptables": ["iptables"],
        "openssh-client": ["ssh"],
        "e2fsprogs": ["mke2fs"],
        "mmdebstrap": ["mmdebstrap"],
        "docker.io": ["dockerd"],
    }

    def __init__(self, root, monkeypatch):
        self.root = root
        self.programs = {"apt-get"}
        self.docker = ABSENT
        monkeypatch.setattr(
            FakeHost, "which", lambda _host, name: name if name in self.programs else None
        )
        monkeypatch.setattr(start_module, "start", self.start_docker)

    def start_docker(self, host, _ask, _report):
        host.ran.append(("docker starts",))
        self.docker = RUNNING

    def answers(self, argv):
        match argv:
            case ("apt-get", *words):
                for package in words:
                    self.programs |= set(self.COMES_WITH.get(package, ()))
                    if package == "vagrant-libvirt":
                        self.write("usr/share/vagrant-plugins/plugins.d/vagrant-libvirt.json", "{}")
                    if package == "libvirt-daemon-system":
                        self.write("etc/group", f"kvm:x:{os.getgid()}:\n")
            case ("vagrant", "--version"):
                return Outcome(0, "Vagrant 2.3.4\n")
            case ("virtlogd" | "libvirtd" as name, "-d"):
                pid = 71 if name == "virtlogd" else 72
                self.write(f"run/{name}.pid", f"{pid}\n")
                self.write(f"proc/{pid}/comm", f"{name}\n")
                if name == "libvirtd":
                    self.write("run/libvirt/libvirt-sock", "")
            case ("virsh", *_):
                there = (self.root / "run/libvirt/libvirt-sock").exists()
                return Outcome(0, VIRSH) if there else Outcome(1, NO_LIBVIRT)
            case ("chmod", mode, path):
                (self.root / path.lstrip("/")).chmod(int(mode, 8))
        return Outcome(0, "")

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def test_a_machine_without_any_of_it_gets_machines_and_the_second_run_does_nothing(
    machine, tmp_path, monkeypatch
):
    debian = Debian(tmp_path, monkeypatch)
    host = machine(answers=debian.answers, files={"dev/kvm": ""})
    (tmp_path / "dev/kvm").chmod(0o600)

    def look_at():
        def of_engine(host):
            return engine_findings(host, images_only=True, ask=lambda: debian.docker)

        return machine_findings(host, engine=of_engine)

    fix(look_at(), print, host=host, locks=tmp_path / "locks", backend="vagrant")

    packages = (
        "vagrant vagrant-libvirt libvirt-daemon-system libvirt-clients qemu-system-x86 qemu-utils"
        " dnsmasq-base iptables e2fsprogs openssh-client docker.io mmdebstrap"
    )
    assert words(host) == [
        f"apt-get install {packages}",
        "chgrp kvm /dev/kvm",
        "chmod 660 /dev/kvm",
        "docker starts",
        "virsh qemu:///system version",
        "virtlogd",
        "libvirtd",
        "virsh qemu:///system version",
    ]
    after = look_at()
    assert [one.name for one in after if not one.ok] == ["KVM"]
    assert not any(one.fixable for one in after)
    host.ran.clear()
    fix(after, print, host=host, locks=tmp_path / "locks", backend="vagrant")
    assert host.ran == []
