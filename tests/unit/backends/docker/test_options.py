"""`options.docker`: a closed list; what is on it is read, what is not is told."""

from __future__ import annotations

import json

import pytest

from envctl.backends.docker.options import bodies, compose, conflicts, label, problems
from envctl.plan.model import Mount, Port, Run

GOOD = {
    "devices": ["/dev/fuse", "/dev/a:/dev/b"],
    "cpu_shares": 512,
    "dns": ["192.168.1.1"],
    "dns_opt": ["ndots:1"],
    "dns_search": ["example.org"],
    "domainname": "example.org",
    "extra_hosts": {"gateway": "host-gateway"},
    "hostname": "web-1",
    "labels": {"team": "shop", "empty": ""},
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
    assert own == {
        "Domainname": "example.org",
        "Hostname": "web-1",
        "Labels": {"empty": "", "team": "shop"},
        "StopSignal": "SIGINT",
        "StopTimeout": 30,
    }
    assert (host["CpuShares"], host["DnsSearch"], host["DnsOptions"]) == (
        512,
        ["example.org"],
        ["ndots:1"],
    )
    assert host["ShmSize"] == 256 * 1024**2
    assert [one["PathInContainer"] for one in host["Devices"]] == ["/dev/fuse", "/dev/b"]
    assert host["ExtraHosts"] == ["gateway:host-gateway"]
    assert host["Sysctls"] == {"net.core.somaxconn": "1024"}
    assert host["Tmpfs"] == {"/run": "", "/tmp": "size=64m"}
    assert {"Name": "nofile", "Soft": 1, "Hard": 2} in host["Ulimits"]
    assert host["ReadonlyRootfs"] is True
    assert "" not in host
    assert "selinux" not in compose(GOOD)


@pytest.mark.parametrize("name", ["dev.envctl.unit", "com.docker.compose.project", "", "a\nb"])
def test_labels_that_say_what_belongs_to_whom_are_refused(name):
    (problem,) = problems({"labels": {"team": "shop", name: "x"}})

    assert problem.path == "labels"


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
    ["/dev/../etc/shadow", "/dev", "/dev/", "/dev:/dev/x", "/dev/./..", "dev/fuse", "/dev/a:b", "/dev/a:/dev/b:rwm", "/dev/a:/x/../y", "/dev/a:"],
)  # fmt: skip
def test_a_device_lies_below_dev_and_nowhere_else(device):
    (found,) = problems({"devices": [device]})
    assert found.expected == "a list of paths below /dev"


def test_a_device_is_tidied_for_the_engine_and_for_compose():
    wanted = {"devices": ["/dev//./fuse", "/dev/a:/dev/b/"]}
    assert [one["PathOnHost"] for one in bodies(wanted)[1]["Devices"]] == ["/dev/fuse", "/dev/a"]
    assert compose(wanted)["devices"] == ["/dev/fuse:/dev/fuse", "/dev/a:/dev/b"]


def test_a_misspelt_option_is_reported_with_the_nearest():
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


TAKEN = [
    ("devices", [], []),
    ("dns", ["1.1.1.1", "9.9.9.9"], ["1.1.1.1", "9.9.9.9"]),
    ("extra_hosts", {"b": "10.0.0.2", "a": "10.0.0.1"}, ["a:10.0.0.1", "b:10.0.0.2"]),
    ("pids_limit", 0, 0),
    ("read_only", False, False),
    ("shm_size", 0, 0),
    ("shm_size", "64", 64),
    ("shm_size", " 2k ", 2048),
    ("shm_size", "3 MB", 3 * 1024**2),
    ("shm_size", "1G", 1024**3),
    ("stop_timeout", 0, 0),
    ("stop_timeout", 3600, 3600),
    ("sysctls", {"b": 1, "a": "x y"}, {"a": "x y", "b": "1"}),
    ("tmpfs", {"/b": "", "/a": "size=1m"}, {"/a": "size=1m", "/b": ""}),
    ("network_mode", "none", "none"),
]


@pytest.mark.parametrize(("name", "value", "read"), TAKEN)
def test_a_value_is_read_as_the_engine_takes_it(name, value, read):
    assert problems({name: value}) == []
    own, host = bodies({name: value})
    assert [one for key, one in {**own, **host}.items() if key != "Ulimits"] == [read]


REFUSED = [
    ("devices", ["/etc/shadow"]),
    ("devices", ["/etc/shadow:/dev/x"]),
    ("devices", ["/dev/../etc/shadow:/dev/x"]),
    ("devices", ["/device/x"]),
    ("devices", "/dev/fuse"),
    ("devices", [7]),
    ("dns", ("1.1.1.1",)),
    ("dns", [""]),
    ("dns", ["1.1.1.1\n"]),
    ("extra_hosts", {"a": None}),
    ("extra_hosts", {1: "10.0.0.1"}),
    ("hostname", ""),
    ("network_mode", "host"),
    ("pids_limit", -1),
    ("pids_limit", True),
    ("pids_limit", "5"),
    ("pids_limit", 1.5),
    ("read_only", 1),
    ("shm_size", "many"),
    ("shm_size", "1t"),
    ("shm_size", "-1"),
    ("shm_size", "1.5g"),
    ("stop_timeout", 3601),
    ("stop_timeout", -1),
    ("stop_timeout", False),
    ("tmpfs", {"tmp": ""}),
    ("tmpfs", {"/tmp": "", "run": ""}),
]


@pytest.mark.parametrize(("name", "value"), REFUSED)
def test_a_value_that_is_none_is_reported_with_what_was_expected(name, value):
    (found,) = problems({name: value})
    assert (found.path, found.message) == (name, f"{name} cannot be {value!r}")
    assert found.expected
    assert not found.hint


def test_the_parts_of_the_engines_json_have_the_engines_names():
    own, host = bodies(GOOD)
    assert {*own} == {"Domainname", "Hostname", "Labels", "StopSignal", "StopTimeout"}
    assert {*host} == {
        *(
            "CpuShares",
            "Devices",
            "Dns",
            "DnsOptions",
            "DnsSearch",
            "ExtraHosts",
            "NetworkMode",
            "PidsLimit",
            "ReadonlyRootfs",
        ),
        *("ShmSize", "Sysctls", "Tmpfs", "Ulimits"),
    }
    assert host["Devices"][1] == {
        "PathOnHost": "/dev/a",
        "PathInContainer": "/dev/b",
        "CgroupPermissions": "rwm",
    }


def test_a_compose_file_says_the_same_in_its_own_words():
    file = compose(GOOD)
    assert {key: value for key, value in file.items() if key != "ulimits"} == {
        "devices": ["/dev/fuse:/dev/fuse", "/dev/a:/dev/b"],
        "cpu_shares": 512,
        "dns": ["192.168.1.1"],
        "dns_opt": ["ndots:1"],
        "dns_search": ["example.org"],
        "domainname": "example.org",
        "extra_hosts": {"gateway": "host-gateway"},
        "hostname": "web-1",
        "labels": {"empty": "", "team": "shop"},
        "network_mode": "none",
        "pids_limit": 200,
        "read_only": True,
        "shm_size": 256 * 1024**2,
        "stop_grace_period": "30s",
        "stop_signal": "SIGINT",
        "sysctls": {"net.core.somaxconn": "1024"},
        "tmpfs": ["/run", "/tmp:size=64m"],
    }
    assert file["ulimits"]["nofile"] == {"soft": 1, "hard": 2}
    assert file["ulimits"]["core"] == 0
    assert compose({"ulimits": {"nofile": {"soft": 5, "hard": 5}}})["ulimits"]["nofile"] == 5
    assert {*compose({})} == {"ulimits"}


def test_the_order_in_which_options_are_written_is_not_seen():
    given = {**GOOD, "sysctls": {"b": 1, "a": 2}}
    turned = {**dict(reversed(given.items())), "sysctls": {"a": 2, "b": 1}}
    assert json.dumps(compose(turned)) == json.dumps(compose(given))


@pytest.mark.parametrize("name", ["network", "volumes", "ipc"])
def test_what_envctl_has_its_own_word_for_is_refused_with_it(name):
    (found,) = problems({name: True})
    assert found.message == f"{name} is not accepted in options.docker"
    assert found.hint


def test_an_option_like_none_other_is_reported_with_all_there_are():
    (found,) = problems({"qqqq": 1})
    assert found.message == "options.docker has no 'qqqq'"
    assert found.hint == ""
    assert {*GOOD} <= {*found.expected.removeprefix("one of ").split(", ")}


def test_every_wrong_option_is_reported_and_none_hides_another():
    found = problems({"pids_limit": -1, "nope": 1, "read_only": True, "dns": 1})
    assert [one.path for one in found] == ["pids_limit", "nope", "dns"]
