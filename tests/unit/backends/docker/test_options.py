"""`options.docker`: a closed list; what is on it is read, what is not is told."""

from __future__ import annotations

import pytest

from envctl.backends.docker.options import bodies, compose, conflicts, label, problems
from envctl.plan.model import Mount, Port, Run

GOOD = {
    "devices": ["/dev/fuse", "/dev/a:/dev/b"],
    "dns": ["192.168.1.1"],
    "extra_hosts": {"gateway": "host-gateway"},
    "hostname": "web-1",
    "network_mode": "none",
    "pids_limit": 200,
    "read_only": True,
    "selinux": "private",
    "shm_size": "256m",
    "stop_signal": "SIGINT",
    "stop_timeout": 30,
    "sysctls": {"net.core.somaxconn": 1024},
    "tmpfs": {"/tmp": "size=64m", "/run": None},
    "ulimits": {"nofile": {"soft": 1, "hard": 2}, "core": 0},
}


def test_every_option_becomes_a_part_of_the_engines_json():
    assert problems(GOOD) == []
    own, host = bodies(GOOD)
    assert own == {"Hostname": "web-1", "StopSignal": "SIGINT", "StopTimeout": 30}
    assert host["ShmSize"] == 256 * 1024**2
    assert [one["PathInContainer"] for one in host["Devices"]] == ["/dev/fuse", "/dev/b"]
    assert host["ExtraHosts"] == ["gateway:host-gateway"]
    assert host["Sysctls"] == {"net.core.somaxconn": "1024"}
    assert host["Tmpfs"] == {"/run": "", "/tmp": "size=64m"}
    assert {"Name": "nofile", "Soft": 1, "Hard": 2} in host["Ulimits"]
    assert host["ReadonlyRootfs"] is True
    assert "" not in host
    assert "selinux" not in compose(GOOD)


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("value", [None, [], -1, 1.5, "", [[]], {"a": {}}, "a\nb", [None]])
def test_a_wrong_value_is_a_problem_or_read_and_never_more(name, value):
    found = problems({name: value})
    if found:
        assert found[0].path == name
        assert found[0].expected
    else:
        bodies({name: value})


@pytest.mark.parametrize(
    "device",
    ["/dev/../etc/shadow", "/dev", "/dev/", "/dev/./..", "dev/fuse", "/dev/a:b", "/dev/a:/dev/b:rwm", "/dev/a:/x/../y", "/dev/a:"],
)  # fmt: skip
def test_a_device_lies_below_dev_and_nowhere_else(device):
    (found,) = problems({"devices": [device]})
    assert found.expected == "a list of paths below /dev"


def test_a_device_is_tidied_for_the_engine_and_for_compose():
    wanted = {"devices": ["/dev//./fuse", "/dev/a:/dev/b/"]}
    assert [one["PathOnHost"] for one in bodies(wanted)[1]["Devices"]] == ["/dev/fuse", "/dev/a"]
    assert compose(wanted)["devices"] == ["/dev/fuse:/dev/fuse", "/dev/a:/dev/b"]


def test_a_misspelt_option_is_told_with_the_nearest():
    (found,) = problems({"shmsize": "1m"})
    assert found.hint == "did you mean 'shm_size'?"


@pytest.mark.parametrize("name", ["privileged", "cap_add", "security_opt", "pid"])
def test_what_would_undo_the_hardening_is_refused_with_a_reason(name):
    (found,) = problems({name: True})
    assert "not accepted" in found.message
    assert found.hint


def test_a_service_without_a_network_cannot_publish_ports():
    (found,) = conflicts(Run(ports=(Port(80),), options={"network_mode": "none"}))
    assert (found.path, found.message) == (
        "ports",
        "a service without a network cannot publish ports",
    )
    assert list(conflicts(Run(options={"network_mode": "none"}))) == []
    assert list(conflicts(Run(ports=(Port(80),)))) == []


@pytest.mark.parametrize(("name", "mark"), [("shared", "z"), ("private", "Z")])
def test_a_label_of_mounts_is_the_engines_mark(name, mark):
    assert problems({"selinux": name}) == []
    assert label({"selinux": name}) == mark
    assert label({}) == ""


@pytest.mark.parametrize("value", ["z", "Z", "", True, None, ["shared"], "none"])
def test_other_labels_are_refused(value):
    (found,) = problems({"selinux": value})
    assert (found.path, found.expected) == ("selinux", "shared or private")


@pytest.mark.parametrize(("source", "target"), [("/a:b", "/x"), ("/a", "/x:y")])
def test_a_mount_that_the_engine_cannot_label_is_refused(source, target):
    mounts = (Mount(source, target), Mount("/fine", "/fine"))
    (found,) = conflicts(Run(mounts=mounts, options={"selinux": "shared"}))
    assert found.path == "mounts"
    assert "cannot be labelled" in found.message
    assert list(conflicts(Run(mounts=mounts))) == []
