"""What the doctor finds of a container engine on machines of many kinds, and what it says to do there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from envctl.backends.docker.doctor import findings as engine_findings
from envctl.backends.docker.doctor.engine_status import EngineStatus
from envctl.backends.docker.doctor.start import START
from envctl.doctor.findings import DaemonState
from tests.support.fake_host import ABSENT, RUNNING


def findings(host, engine):
    """The findings by name."""
    return {one.name: one for one in engine_findings(host, ask=lambda: engine)}


def lines(host, engine):
    """What is not as it should be, one line each."""
    return [
        f"{one.name}: {one.observed} | {one.remedy}"
        for one in engine_findings(host, ask=lambda: engine)
        if not one.ok
    ]


def test_nothing_is_wrong_where_everything_is_there(machine):
    host = machine("apt-get", "dockerd", "mmdebstrap")
    found = findings(host, RUNNING)

    assert [name for name, one in found.items() if not one.ok] == ["docker compose"]
    assert not found["docker compose"].needed
    assert not any(one.fixable for one in found.values())
    assert found["docker engine"].observed == "26.1.0 at unix:///var/run/docker.sock"
    assert found["disk space"].observed == "50.0 GB free at /var/lib/docker (overlay2)"
    assert found["resource limits"].observed == "cgroup v2: memory and CPU can be limited"


def test_on_debian_a_missing_engine_can_be_installed_and_started(machine):
    finding = findings(machine("apt-get"), ABSENT)["docker engine"]

    assert finding.observed == "not installed (unix:///var/run/docker.sock)"
    assert finding.remedy == (
        "sudo apt-get install --no-install-recommends docker.io iptables && sudo dockerd &"
    )
    assert finding.packages == ("docker.io", "iptables")
    assert finding.repairs == (START,)
    assert finding.fixable


def test_where_systemd_runs_it_starts_the_engine(machine):
    host = machine("apt-get", "dockerd", files={"run/systemd/system/x": ""})
    finding = findings(host, ABSENT)["docker engine"]

    assert finding.observed.startswith("installed, not running")
    assert finding.remedy == "sudo systemctl enable --now docker"
    assert finding.packages == ()
    assert finding.fixable


def test_without_apt_the_user_is_reported_and_nothing_is_promised(machine):
    found = findings(machine(), ABSENT)

    assert found["docker engine"].remedy == (
        "install the Docker engine (https://docs.docker.com/engine/install/), then sudo dockerd &"
    )
    assert not found["docker engine"].fixable
    assert found["base bootstrap"].remedy == "make a registry reachable"
    assert not found["base bootstrap"].fixable


@pytest.mark.parametrize(
    ("release", "engine", "bases"),
    [
        ("ID=fedora", "sudo dnf install moby-engine iptables", "sudo dnf install mmdebstrap, or "),
        ('ID="rocky"\nID_LIKE="rhel centos fedora"', "", "sudo dnf install mmdebstrap, or "),
        ('ID="opensuse-leap"\nID_LIKE="suse opensuse"', "sudo zypper install docker iptables", ""),
        ("ID=opensuse-tumbleweed", "sudo zypper install docker iptables", ""),
        ("ID=arch", "sudo pacman -S docker iptables", ""),
        ("ID=manjaro\nID_LIKE=arch", "sudo pacman -S docker iptables", ""),
        ("ID=alpine", "sudo apk add docker iptables", ""),
        ("ID=nixos", "", ""),
        ("", "", ""),
    ],
)
def test_each_distribution_is_told_its_own_command_or_none(machine, release, engine, bases):
    host = machine(files={"etc/os-release": f"NAME=x\n{release}\n"})
    found = findings(host, ABSENT)
    words = "install the Docker engine (https://docs.docker.com/engine/install/), then "

    assert found["docker engine"].remedy == f"{engine + ' && ' if engine else words}sudo dockerd &"
    assert found["base bootstrap"].remedy == f"{bases}make a registry reachable"
    assert not any(one.fixable for one in found.values())


def test_under_windows_docker_desktop_is_another_way(machine):
    files = {"proc/sys/kernel/osrelease": "5.15.90.1-microsoft-standard-WSL2\n"}
    finding = findings(machine("apt-get", files=files), ABSENT)["docker engine"]

    assert finding.remedy.endswith("(or enable WSL integration in Docker Desktop)")


def test_on_macos_nothing_is_installed_with_apt(machine):
    found = findings(machine("apt-get", kernel="Darwin"), ABSENT)

    assert found["docker engine"].remedy == (
        "brew install colima docker && colima start, or install Docker Desktop"
    )
    assert not any(one.fixable for one in found.values())
    assert found["disk space"].ok


def test_a_user_who_may_not_is_told_the_group(machine):
    denied = replace(ABSENT, state=DaemonState.DENIED)
    finding = findings(machine("apt-get", "dockerd"), denied)["docker engine"]

    assert finding.observed == "unix:///var/run/docker.sock refuses this user"
    assert finding.remedy.startswith("sudo usermod -aG docker $USER, then log in again")
    assert not finding.fixable


def test_an_engine_elsewhere_is_not_installed_here(machine):
    away = EngineStatus("tcp://10.0.0.1:2375", DaemonState.ABSENT, error="Connection refused")
    found = findings(machine("apt-get"), away)

    assert (
        found["docker engine"].observed
        == "nothing answers at tcp://10.0.0.1:2375: Connection refused"
    )
    assert not found["docker engine"].fixable
    assert found["disk space"].observed == "managed by a remote engine"


def test_an_engine_that_fails_is_reported_with_its_own_words(machine):
    finding = findings(machine("apt-get"), replace(ABSENT, state=DaemonState.FAILS, error="boom"))[
        "docker engine"
    ]

    assert (finding.observed, finding.remedy) == ("boom", "check the engine's log")
    assert not finding.fixable


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"api": (1, 40)}, "engine API: API 1.40 | install Docker engine 20.10 (API 1.41) or newer"),
        ({"os_type": "windows"}, "BuildKit: the engine runs windows containers | switch it to Linux containers"),
        ({"product": "Podman Engine"}, "BuildKit: Podman Engine has Docker's API but not its BuildKit | point DOCKER_HOST or the docker context to a Docker engine"),
        ({"limits": False}, "resource limits: cgroup v2: the engine cannot limit memory or CPU here | enable the kernel's memory and cpu controllers (cgroup_enable=memory)"),
    ],
)  # fmt: skip
def test_an_engine_that_will_not_do_is_told_why(machine, change, line):
    assert line in lines(machine("mmdebstrap"), replace(RUNNING, **change))


def test_a_full_disk_is_reported(machine):
    host = machine("mmdebstrap", free_bytes=10**9)

    assert lines(host, RUNNING)[0] == (
        "disk space: 1.0 GB free at /var/lib/docker (overlay2) | free some space: `docker system df` shows what uses it"
    )


def test_mmdebstrap_is_advice_that_can_be_followed(machine):
    finding = findings(machine("apt-get"), RUNNING)["base bootstrap"]

    assert not finding.needed
    assert finding.fixable
    assert finding.packages == ("mmdebstrap",)
