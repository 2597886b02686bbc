"""Fixing: packages at once, then repairs; nothing without root, nothing where nothing is wrong."""

from __future__ import annotations

import pytest

from envctl.doctor.findings import Finding, Repair, RepairStage
from envctl.doctor.host import Outcome
from envctl.doctor.repair import fix
from envctl.errors import EnvctlError

APT = Finding("docker engine", ok=False, observed="none", remedy="apt …", packages=("docker.io",))
ADVICE = Finding(
    "base bootstrap",
    ok=False,
    observed="none",
    remedy="apt …",
    needed=False,
    packages=("mmdebstrap",),
)


def words(host):
    """What was run, without apt's options."""
    return [
        " ".join(word for word in argv if not word.startswith("-") and "::" not in word)
        for argv in host.ran
    ]


def mend(host, *findings, locks, report=lambda _event: None, **options):
    fix(findings, report, host=host, locks=locks, **options)


def test_packages_of_all_findings_are_installed_at_once(machine, tmp_path):
    host = machine("apt-get")
    mend(host, APT, ADVICE, APT, locks=tmp_path / "locks")

    assert words(host) == ["apt-get install docker.io mmdebstrap"]
    assert "--no-install-recommends" in host.ran[0]


def test_where_nothing_is_wrong_nothing_is_done_and_no_root_needed(machine, tmp_path):
    host = machine("apt-get", root_user=False)
    well = Finding("docker engine", ok=True, observed="26.1", packages=("docker.io",))
    mend(host, well, locks=tmp_path / "locks")

    assert host.ran == []
    assert not (tmp_path / "locks").exists()


def test_without_root_what_is_needed_is_refused_with_the_commands(machine, tmp_path):
    host = machine("apt-get", root_user=False)
    with pytest.raises(EnvctlError) as caught:
        mend(host, APT, ADVICE, locks=tmp_path / "locks")

    assert caught.value.brief == "this can only be fixed as root"
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


def test_apt_that_fails_is_reported_with_its_last_lines(machine, tmp_path):
    said = "\n".join(f"line {number}" for number in range(30))
    host = machine("apt-get", answers=lambda _argv: Outcome(100, said))
    events = []
    with pytest.raises(EnvctlError) as caught:
        mend(host, APT, locks=tmp_path / "locks", report=events.append)

    assert caught.value.brief == "apt-get could not install docker.io"
    assert caught.value.details.splitlines()[-1] == "line 29"
    assert len(caught.value.details.splitlines()) == 15
    assert [str(event.stage) for event in events] == ["started", "working", "failed"]


def does(name, stage):
    """A repair that runs a command of its name."""
    return Repair(name, stage, lambda host, _report: host.run((name,)))


def test_repairs_are_done_once_packages_are_there_devices_before_daemons(machine, tmp_path):
    host = machine("apt-get")
    daemons = (does("libvirt", RepairStage.DAEMONS), does("docker engine", RepairStage.DAEMONS))
    lacks = Finding("engine", ok=False, observed="none", packages=("docker.io",), repairs=daemons)
    closed = Finding(
        "/dev/kvm", ok=False, observed="0600", repairs=(does("kvm", RepairStage.DEVICES),)
    )
    mend(host, lacks, closed, lacks, locks=tmp_path / "locks")

    assert words(host) == ["apt-get install docker.io", "kvm", "docker engine", "libvirt"]


def test_without_root_the_command_to_type_names_the_backend(machine, tmp_path):
    host = machine("apt-get", root_user=False)
    with pytest.raises(EnvctlError) as caught:
        mend(host, APT, locks=tmp_path / "locks", backend="vagrant")

    assert caught.value.hint.endswith(" doctor --fix --backend vagrant")
