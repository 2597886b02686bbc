"""The engine's record of a container, held against what envctl would make."""

from __future__ import annotations

import copy

import pytest

from envctl.backends.docker.containers import container
from envctl.backends.docker.record import drift
from envctl.plan.model import Process, ReadyImage, Run, Unit
from tests.support.plans import unit

from .conftest import rich


def recorded(wanted, names):
    """What the engine tells of a container that was made of this unit, as engine 20.10 does."""
    body = copy.deepcopy(dict(container(wanted, names)))
    host = body.pop("HostConfig")
    host["Privileged"], host["CpuQuota"] = False, 0
    networks = body.pop("NetworkingConfig", {"EndpointsConfig": {"none": {}}})["EndpointsConfig"]
    mounts = [
        {
            "Type": one["Type"],
            "Source": one["Source"] if one["Type"] == "bind" else f"/var/lib/{one['Source']}",
            **({"Name": one["Source"]} if one["Type"] == "volume" else {}),
            "Destination": one["Target"],
            "RW": not one["ReadOnly"],
        }
        for one in host["Mounts"]
    ]
    ports = {
        name: [{**one, "HostPort": one["HostPort"] or "49153"} for one in listed]
        for name, listed in host["PortBindings"].items()
    }
    body["Env"] = [*body["Env"], "PATH=/usr/bin"]
    return {
        "State": {"Running": True},
        "Config": body,
        "HostConfig": host,
        "NetworkSettings": {"Networks": networks, "Ports": {**ports, "1/tcp": None}},
        "Mounts": [*mounts, {"Type": "volume", "Name": "f" * 64, "Destination": "/v", "RW": True}],
    }


def said(wanted, names, change):
    record = recorded(wanted, names)
    change(record)
    return [one.text for one in drift(wanted, names, record)]


PLAIN = unit("web", image="web:1")
UNITS = [
    rich(),
    PLAIN,
    Unit("db", "db", ReadyImage("db:1"), Run(aliases=("db",))),
    unit("web", image="web:1", options={"network_mode": "none", "read_only": True, "devices": ["/dev/fuse"]}),
]  # fmt: skip


@pytest.mark.parametrize("wanted", UNITS)
def test_what_was_made_as_it_is_wanted_has_no_drift(names, wanted):
    assert said(wanted, names, lambda _record: None) == []


def test_a_container_that_was_stopped_has_no_drift_for_ports_that_are_not_published_meanwhile(
    names,
):
    def stop(record):
        record["State"]["Running"] = False
        record["NetworkSettings"]["Ports"] = {}

    assert said(rich(), names, stop) == []


def put(*path, value):
    def change(record):
        for key in path[:-1]:
            record = record[key]
        record[path[-1]] = value

    return change


def drop(*path):
    def change(record):
        for key in path[:-1]:
            record = record[key]
        del record[path[-1]]

    return change


HOST = "HostConfig"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (put("Name", value="/old"), "its container was renamed: old"),
        (put(HOST, "Memory", value=1024), "changed by other means: memory 512 MiB → 1 KiB"),
        (put(HOST, "NanoCpus", value=0), "changed by other means: cpus 1.5 → unlimited"),
        (put(HOST, "MemorySwap", value=8 * 1024**3), "memory with swap was set to 8 GiB"),
        # What an engine gives that is not told otherwise: as much swap again.
        (put(HOST, "MemorySwap", value=1024**3), "memory with swap was set to 1 GiB"),
        (put(HOST, "CpusetCpus", value="0"), 'CpusetCpus was set to "0"'),
        (put(HOST, "PidsLimit", value=7), "changed by other means: pids_limit unlimited → 7"),
        (put(HOST, "RestartPolicy", value={"Name": "always"}), "changed by other means: restart policy unless-stopped → always"),
        (put(HOST, "Privileged", value=True), "it is privileged, unlike in the spec"),
        (put(HOST, "CapAdd", value=["CAP_NET_ADMIN", "SYS_ADMIN"]), "it has the capability SYS_ADMIN, which is not in the spec"),
        (put(HOST, "CapAdd", value=None), "it lacks the capability NET_ADMIN"),
        (put(HOST, "CapDrop", value=None), "it has the engine's default capabilities, which are not in the spec"),
        (put(HOST, "SecurityOpt", value=None), "its processes may gain privileges"),
        (put(HOST, "PidMode", value="host"), "it shares the processes of this host, unlike in the spec"),
        (put(HOST, "ReadonlyRootfs", value=True), "its root file system cannot be written to"),
        (put(HOST, "Devices", value=[{"PathOnHost": "/dev/kvm"}]), "it has the device /dev/kvm, which is not in the spec"),
        (put("Config", "User", value="root"), "changed by other means: user web → root"),
        (put("Config", "Cmd", value=["sleep", "1"]), "changed by other means: command serve \"two words\" → sleep 1"),
        (put("Config", "WorkingDir", value="/"), "changed by other means: workdir /srv → /"),
        (put("Config", "Env", value=["A=$x", "B=3"]), 'changed by other means: env B "2" → "3"'),
        (put("Config", "Env", value=["A=$x"]), 'changed by other means: env B "2" → unset'),
        (put("Config", "Healthcheck", value={"Test": ["NONE"]}), "its healthcheck was changed"),
        (put("NetworkSettings", "Networks", value={}), "it is not connected to the environment's network {network}"),
        (lambda record: record["NetworkSettings"]["Networks"].update(other={}), "it is also connected to the network other"),
        (lambda record: next(iter(record["NetworkSettings"]["Networks"].values())).update(Aliases=["web"]),
         "the name www does not resolve to it"),
        (drop("NetworkSettings", "Ports", "9000/tcp"), "port 9000 inside is not published as in the spec"),
        (put("NetworkSettings", "Ports", "8000/tcp", value=[{"HostIp": "127.0.0.1", "HostPort": "1"}]),
         "port 8080 is not published as in the spec"),
        (put(HOST, "PortBindings", "8000/tcp", value=[{"HostIp": "0.0.0.0", "HostPort": "8080"}]),
         "port 8080 is not published as in the spec"),
        (put(HOST, "PortBindings", "22/tcp", value=[{"HostIp": "", "HostPort": "22"}]),
         "port 22/tcp inside is published, which is not in the spec"),
        (put("Mounts", 0, "Source", value="/elsewhere"), "changed by other means: mount at /mnt/app /srv/shop/app → /elsewhere"),
        (put("Mounts", 1, "RW", value=True), "the mount at /x is writable, unlike in the spec"),
        (drop("Mounts", 0), "nothing is mounted at /mnt/app"),
        (put("Mounts", 2, "Name", value="other"), "changed by other means: mount at /var/data {volume} → other"),
        (lambda record: record["Mounts"].append({"Type": "bind", "Source": "/", "Destination": "/host", "RW": True}),
         "/ of this host is mounted at /host, which is not in the spec"),
    ],
)  # fmt: skip
def test_what_was_changed_by_other_means_is_reported(names, change, expected):
    wanted = expected.format(network=names.network, volume=names.volume("data"))
    assert said(rich(), names, change) == [wanted]


def test_a_unit_without_a_network_that_was_connected_to_one_is_reported(names):
    alone = unit("web", image="web:1", options={"network_mode": "none"})
    connect = put("NetworkSettings", "Networks", value={"none": {}, "bridge": {}})

    assert said(alone, names, connect) == ["it is connected to the network bridge"]


def test_what_the_image_decides_is_not_held_against_it(names):
    ready = Unit("db", "db", ReadyImage("db:1"), Run(Process(), aliases=("db",)))

    def image(record):
        record["Config"].update(User="postgres", Cmd=["postgres"], WorkingDir="/data", Env=["X=1"])

    assert said(ready, names, image) == []


def test_a_record_that_lacks_everything_is_borne_with(names):
    assert drift(rich(), names, {})
