"""A unit as the engine's JSON, hardened unless the spec asks otherwise."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from envctl.backends.docker.containers import container, healthcheck, secret_file
from envctl.plan.model import Kind, ReadyImage, Restart, Run, Secret, Unit

from .conftest import rich


def test_a_rich_unit_becomes_this_body(names):
    body = container(rich(), names)
    host = body["HostConfig"]

    assert body["Image"] == names.image_of(rich())
    assert body["Env"] == ["A=$x", "B=2"]
    assert body["Cmd"] == ["serve", "two words"]
    assert (body["User"], body["WorkingDir"]) == ("web", "/srv")
    assert body["Healthcheck"] == {
        "Test": ["CMD", "ready", "-q"],
        "Interval": 2_500_000_000,
        "Timeout": 1_000_000_000,
        "Retries": 4,
        "StartPeriod": 10_000_000_000,
    }
    assert body["NetworkingConfig"]["EndpointsConfig"][names.network] == {"Aliases": ["web", "www"]}
    assert (host["NanoCpus"], host["Memory"]) == (1_500_000_000, 512 * 1024**2)
    assert host["RestartPolicy"] == {"Name": "unless-stopped"}
    assert [(one["Type"], one["Target"], one["ReadOnly"]) for one in host["Mounts"]] == [
        ("bind", "/mnt/app", False),
        ("bind", "/x", True),
        ("volume", "/var/data", False),
        ("volume", "/run/secrets", True),
    ]
    json.dumps(body)


@pytest.mark.parametrize(("label", "mark"), [("shared", "z"), ("private", "Z")])
def test_mounts_that_selinux_labels_are_given_in_the_form_that_can_say_so(names, label, mark):
    run = rich().run
    labelled = replace(rich(), run=replace(run, options={**run.options, "selinux": label}))
    first, second = run.mounts

    host = container(labelled, names)["HostConfig"]

    assert host["Binds"] == [
        f"{first.source}:/mnt/app:rw,{mark}",
        f"{second.source}:/x:ro,{mark}",
    ]
    assert [one["Type"] for one in host["Mounts"]] == ["volume", "volume"]
    assert container(rich(), names)["HostConfig"]["Binds"] == []


def test_a_container_is_hardened(names):
    host = container(rich(), names)["HostConfig"]

    assert host["CapDrop"] == ["ALL"]
    assert host["CapAdd"] == ["NET_ADMIN"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["Init"] is True
    assert "Privileged" not in host
    assert container(Unit("a", "a", ReadyImage("x")), names)["HostConfig"]["CapAdd"] == []


def test_ports_are_bound_to_loopback_unless_public(names):
    assert container(rich(), names)["HostConfig"]["PortBindings"] == {
        "8000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}],
        "9000/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}],
        "53/udp": [{"HostIp": "0.0.0.0", "HostPort": "5353"}],
    }


def test_secrets_are_in_memory_and_not_in_the_environment(names):
    body = container(rich(), names)
    mount = body["HostConfig"]["Mounts"][-1]

    assert mount["VolumeOptions"]["DriverConfig"]["Options"]["type"] == "tmpfs"
    assert mount["VolumeOptions"]["NoCopy"] is True
    assert not any("TOKEN" in line or "token" in line for line in body["Env"])


def test_a_ready_image_keeps_its_own_command_user_and_folder(names):
    body = container(Unit("db", "db", ReadyImage("pg:16")), names)

    assert not {"Cmd", "User", "WorkingDir"} & set(body)
    assert body["Healthcheck"] == {"Test": ["NONE"]}
    assert body["Labels"]["dev.envctl.image"] == "pg:16"


def test_a_task_is_not_restarted_by_the_engine(names):
    task = replace(rich(), run=replace(rich().run, kind=Kind.TASK))
    host = container(task, names)["HostConfig"]
    assert host["RestartPolicy"] == {"Name": "no"}
    failing = Unit("a", "a", ReadyImage("x"), Run(restart=Restart.ON_FAILURE))
    assert container(failing, names)["HostConfig"]["RestartPolicy"] == {"Name": "on-failure"}


def test_an_option_takes_the_container_off_the_network(names):
    unit = Unit("a", "a", ReadyImage("x"), Run(options={"network_mode": "none", "hostname": "h"}))
    body = container(unit, names)

    assert body["Hostname"] == "h"
    assert body["HostConfig"]["NetworkMode"] == "none"
    assert "NetworkingConfig" not in body


def test_logs_are_bounded_where_the_engine_keeps_files(names):
    host = container(rich(), names)["HostConfig"]
    assert host["LogConfig"]["Config"] == {"max-size": "10m", "max-file": "3"}
    assert "LogConfig" not in container(rich(), names, log_driver="journald")["HostConfig"]


def test_a_secret_elsewhere_is_kept_under_a_hidden_name():
    assert secret_file(Secret("a", "/run/secrets/a")) == "a"
    assert secret_file(Secret("a", "/etc/a")) == ".a"
    assert secret_file(Secret("a", "/run/secrets/sub/a")) == ".a"


def test_no_probe_turns_the_images_own_off():
    assert healthcheck(Run()) == {"Test": ["NONE"]}


def test_variables_made_of_secrets_are_set_by_what_stands_before_the_images_entrypoint(names):
    unit = rich()
    process = replace(unit.run.process, argv=None, secret_env={"A": "<${secret.token}>"})
    token = Secret("token", "/run/secrets/.token", "digest")
    unit = replace(unit, run=replace(unit.run, process=process, secrets=(token,)))

    body = container(unit, names, image={"Entrypoint": ["/entry"], "Cmd": ["serve"]})

    assert body["Entrypoint"][:2] == ["/bin/sh", "-c"]
    assert "/run/secrets/.token" in body["Entrypoint"][2]
    assert body["Entrypoint"][3:] == ["sh", "/entry"]
    assert body["Cmd"] == ["serve"]
    assert body["Healthcheck"]["Test"][:3] == ["CMD", "/bin/sh", "-c"]
    assert body["Healthcheck"]["Test"][-2:] == ["ready", "-q"]
