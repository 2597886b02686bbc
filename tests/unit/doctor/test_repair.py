"""Mending: packages at once, then the engine; nothing without root, nothing where nothing is wrong."""

from __future__ import annotations

import os
from typing import ClassVar

import pytest

from envctl.doctor import Finding, examine, fix
from envctl.doctor import repair as mend_module
from envctl.doctor.host import Outcome
from envctl.errors import EnvctlError
from tests.unit.doctor.conftest import ABSENT, NO_LIBVIRT, RUNNING, VIRSH, FakeHost

APT = Finding("docker engine", ok=False, found="none", remedy="apt …", packages=("docker.io",))
ADVICE = Finding(
    "base bootstrap", ok=False, found="none", remedy="apt …", needed=False, packages=("mmdebstrap",)
)


def words(host):
    """What was run, without apt's options."""
    return [
        " ".join(word for word in argv if not word.startswith("-") and "::" not in word)
        for argv in host.ran
    ]


def mend(host, *findings, locks, report=lambda _event: None, ask=lambda: RUNNING, **options):
    fix(findings, report, host=host, ask=ask, locks=locks, **options)


def test_packages_of_all_findings_are_installed_at_once(machine, tmp_path):
    host = machine("apt-get")
    mend(host, APT, ADVICE, APT, locks=tmp_path / "locks")

    assert words(host) == ["apt-get install docker.io mmdebstrap"]
    assert "--no-install-recommends" in host.ran[0]


def test_where_nothing_is_wrong_nothing_is_done_and_no_root_needed(machine, tmp_path):
    host = machine("apt-get", "dockerd", "mmdebstrap", root_user=False)
    mend(host, *examine(host=host, ask=lambda: RUNNING), locks=tmp_path / "locks")

    # The one call was the examination's own.
    assert [argv for argv in host.ran if argv[0] == "apt-get"] == []
    assert not (tmp_path / "locks").exists()


def test_without_root_what_is_needed_is_refused_with_the_commands(machine, tmp_path):
    host = machine("apt-get", root_user=False)
    with pytest.raises(EnvctlError) as caught:
        mend(host, APT, ADVICE, locks=tmp_path / "locks")

    assert caught.value.brief == "mending this takes root"
    assert caught.value.details == "docker engine: apt …\nbase bootstrap: apt …"
    assert caught.value.hint.startswith("sudo ")
    assert caught.value.hint.endswith(" doctor --fix")
    assert host.ran == []


def test_without_root_mere_advice_is_given_and_no_error(machine, tmp_path):
    host = machine("apt-get", root_user=False)
    events = []
    mend(host, ADVICE, locks=tmp_path / "locks", report=events.append)

    assert [event.text for event in events] == ["as root: apt …"]
    assert host.ran == []


def test_the_lists_are_fetched_only_if_it_does_not_work_without(machine, tmp_path):
    outcomes = iter([Outcome(100, "E: not found"), Outcome(0, ""), Outcome(0, "")])
    host = machine("apt-get", answers=lambda _argv: next(outcomes))
    mend(host, APT, locks=tmp_path / "locks")

    assert words(host) == [
        "apt-get install docker.io",
        "apt-get update",
        "apt-get install docker.io",
    ]


def test_apt_that_fails_is_told_with_its_last_lines(machine, tmp_path):
    said = "\n".join(f"line {number}" for number in range(30))
    host = machine("apt-get", answers=lambda _argv: Outcome(100, said))
    events = []
    with pytest.raises(EnvctlError) as caught:
        mend(host, APT, locks=tmp_path / "locks", report=events.append)

    assert caught.value.brief == "apt-get could not install docker.io"
    assert caught.value.details.splitlines()[-1] == "line 29"
    assert len(caught.value.details.splitlines()) == 15
    assert [str(event.stage) for event in events] == ["started", "working", "failed"]


def test_the_engine_is_started_after_its_packages_are_there(machine, tmp_path):
    host = machine("apt-get", files={"run/systemd/system/x": ""})
    answers = iter([ABSENT, ABSENT, RUNNING])
    findings = examine(host=host, ask=lambda: ABSENT)
    host.ran.clear()
    mend(host, *findings, locks=tmp_path / "locks", ask=lambda: next(answers))

    assert words(host) == [
        "apt-get install docker.io iptables mmdebstrap",
        "systemctl enable docker",
    ]


def test_without_root_the_command_to_type_names_the_backend(machine, tmp_path):
    host = machine("apt-get", root_user=False)
    with pytest.raises(EnvctlError) as caught:
        mend(host, APT, locks=tmp_path / "locks", backend="vagrant")

    assert caught.value.hint.endswith(" doctor --fix --backend vagrant")


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
        monkeypatch.setattr(mend_module, "start", self.start_docker)

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
        return examine("vagrant", host=host, ask=lambda: debian.docker)

    mend(host, *look_at(), locks=tmp_path / "locks", backend="vagrant")

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
    mend(host, *after, locks=tmp_path / "locks", backend="vagrant")
    assert host.ran == []
