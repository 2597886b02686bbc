"""What the engine lists, as states of units."""

from __future__ import annotations

import json

import pytest

from envctl.backends.docker import names as n
from envctl.backends.docker.names import Names
from envctl.backends.docker.observe import observe
from envctl.plan.model import Plan
from envctl.plan.state import BEING_STOPPED, Health, Status
from tests.support.plans import SCOPE

from .conftest import CannedEngine

NAMES = Names(SCOPE)


def listed(unit="web", state="running", status="Up 2 minutes", **more):
    """A container as the engine lists it."""
    return {
        "Id": f"{unit}-id",
        "Names": [f"/{NAMES.container(unit)}"],
        "State": state,
        "Status": status,
        "Created": 1,
        "Labels": {n.UNIT: unit, n.SERVICE: unit, n.BUILD: "b1", n.RUN: "r1"},
        **more,
    }


def keeper(**more):
    """The environment's keeper as the engine lists it."""
    return {
        "Id": "k",
        "Names": [f"/{NAMES.secrets_container('1a')}"],
        "State": "running",
        "Labels": {n.SECRETS_CONTAINER: "secrets", n.UNIT: ""},
        **more,
    }


def states(names, *containers, **more):
    return observe(CannedEngine(containers, **more), names, plan=Plan(SCOPE, "docker", ()))


@pytest.mark.parametrize(
    ("state", "status", "expected"),
    [
        ("running", "Up 2 minutes", (Status.RUNNING, Health.NONE, None)),
        ("running", "Up 2 minutes (healthy)", (Status.RUNNING, Health.HEALTHY, None)),
        ("running", "Up 1 second (health: starting)", (Status.RUNNING, Health.STARTING, None)),
        ("running", "Up 1 hour (unhealthy)", (Status.RUNNING, Health.UNHEALTHY, None)),
        ("exited", "Exited (137) 3 hours ago", (Status.EXITED, Health.NONE, 137)),
        ("created", "Created", (Status.CREATED, Health.NONE, None)),
        ("paused", "Up 2 minutes (Paused)", (Status.PAUSED, Health.NONE, None)),
        ("dead", "Dead", (Status.UNKNOWN, Health.NONE, None)),
        ("hibernating", "Zzz", (Status.UNKNOWN, Health.NONE, None)),
    ],
)
def test_a_containers_words_become_a_state(names, state, status, expected):
    one = listed(state=state, status=status)
    unit = states(names, one, details={"web-id": {"State": {}}}).units["web"]
    assert (unit.status, unit.health, unit.exit_code) == expected
    assert (unit.build, unit.run, unit.id) == ("b1", "r1", "web-id")


@pytest.mark.parametrize(
    ("image", "tags", "outdated"),
    [
        ("web:1", {}, False),
        ("sha256:old", {"web:1": "sha256:new"}, True),
        ("sha256:old", {}, False),
    ],
)
def test_a_ready_image_is_another_if_its_name_means_another_now(names, image, tags, outdated):
    labels = {n.UNIT: "web", n.SERVICE: "web", n.IMAGE: "web:1", n.RUN: "r1"}
    one = listed(Labels=labels, Image=image, ImageID="sha256:old")

    assert states(names, one, tags=tags).units["web"].outdated is outdated


def test_restarts_are_asked_for_only_where_there_are_some(names):
    one = listed(state="restarting", status="Restarting (1) 2 seconds ago")
    unit = states(names, one, details={"web-id": {"RestartCount": 4}}).units["web"]
    assert (unit.status, unit.exit_code, unit.restarts) == (Status.RESTARTING, 1, 4)


def record(kind, value, *, of="web-id", unit="web"):
    """A record of a unit's container, as the engine lists the volume that it is."""
    labels = {n.RECORD: unit, n.RECORD_OF: of, n.RECORD_KIND: kind, n.RECORD_VALUE: value}
    return {"Name": f"{unit}.{kind}-{value}", "Labels": labels}


@pytest.mark.parametrize(
    ("inspected", "expected"),
    [
        ({"OOMKilled": True, "ExitCode": 137}, (Status.OOM_KILLED, "")),
        ({"OOMKilled": True, "ExitCode": 1}, (Status.EXITED, "a process in it was killed: out of memory")),
        ({"OOMKilled": False, "ExitCode": 137}, (Status.EXITED, "")),
        ({"Error": "no such file\nat all", "ExitCode": 127}, (Status.EXITED, "no such file")),
    ],
)  # fmt: skip
def test_how_a_process_ended_is_asked_for(names, inspected, expected):
    one = listed(state="exited", status=f"Exited ({inspected['ExitCode']}) now")
    unit = states(names, one, details={"web-id": {"State": inspected}}).units["web"]
    assert (unit.status, unit.cause) == expected


@pytest.mark.parametrize(
    ("noted", "of", "status"),
    [
        ("10:00", "web-id", Status.STOPPED),
        # It was started again since, and ended by itself; or it is another container's.
        ("09:00", "web-id", Status.EXITED),
        ("10:00", "former-id", Status.EXITED),
    ],
)
@pytest.mark.parametrize("code", [0, 143])
def test_a_unit_is_stopped_if_it_ended_when_envctl_noted_that_it_had_stopped_it(
    names, noted, of, status, code
):
    one = listed(state="exited", status=f"Exited ({code}) now")
    details = {"web-id": {"State": {"FinishedAt": "10:00", "ExitCode": code}}}
    found = states(names, one, details=details, volumes=[record("stopped", noted, of=of)])
    assert found.units["web"].status is status
    assert found.leftovers == ()


@pytest.mark.parametrize(
    ("noted", "of", "defect"),
    [
        ("10:00", "web-id", BEING_STOPPED),
        # It was started again since; or it is another container's.
        ("09:00", "web-id", ""),
        ("10:00", "former-id", ""),
    ],
)
def test_a_unit_whose_stop_has_begun_is_not_taken_for_one_that_stays(names, noted, of, defect):
    details = {"web-id": {"State": {"StartedAt": "10:00"}}}
    found = states(names, listed(), details=details, volumes=[record("stopping", noted, of=of)])
    assert (found.units["web"].status, found.units["web"].defect) == (Status.RUNNING, defect)
    assert found.units["web"].needs_restart == bool(defect)


def test_the_hooks_that_have_run_in_this_very_container_are_reported(names):
    volumes = [record("hook", "h1"), record("hook", "h2"), record("hook", "h3", of="former-id")]
    assert states(names, listed(), volumes=volumes).units["web"].hooks == ("h1", "h2")


def test_what_the_engines_health_check_said_is_reported(names):
    health = {"Log": [{"Output": "ok"}, {"Output": "HTTP 500\nno database"}]}
    one = listed(status="Up 1 hour (unhealthy)")
    found = states(names, one, details={"web-id": {"State": {"Health": health}}})
    assert found.units["web"].cause == "its probe fails: HTTP 500"


def test_a_container_that_could_not_be_removed_is_made_again(names):
    unit = states(names, listed(state="dead", status="Dead")).units["web"]
    assert (unit.unfinished, unit.cause) == (
        True,
        "the engine failed to remove it",
    )


def test_a_container_that_is_being_removed_is_gone(names):
    assert states(names, listed(state="removing")).units == {}


def test_a_container_made_from_an_image_of_a_unit_is_neither_that_unit_nor_left_over(names):
    found = states(names, listed(), listed(Id="copy", Names=["/somebody"], Created=9))
    assert found.units["web"].id == "web-id"
    assert found.leftovers == ()


def test_a_container_that_somebody_renamed_is_the_unit_if_its_labels_are_not_its_images(names):
    renamed = listed(Id="renamed", Names=["/old"], ImageID="plain", State="running")
    images = {"plain": {"Id": "plain", "Config": {"Labels": None}}}
    found = observe(CannedEngine([renamed], images_by_id=images), names, plan=None)
    assert (found.units["web"].id, found.leftovers) == ("renamed", ())

    inherited = {"plain": {"Id": "plain", "Config": {"Labels": {n.UNIT: "web"}}}}
    found = observe(CannedEngine([renamed], images_by_id=inherited), names, plan=None)
    assert (found.units, found.leftovers) == ({}, ())

    # Where there is one of the name as well, that is the unit; the other one goes with it.
    engine = CannedEngine([renamed, listed()], images_by_id=images)
    found = observe(engine, names, plan=Plan(SCOPE, "docker", ()))
    assert (found.units["web"].id, found.leftovers) == ("web-id", ("container old",))
    assert [one.text for one in found.units["web"].drift] == [
        "another container of it was renamed: old"
    ]


def test_a_container_made_from_an_image_of_a_keeper_keeps_nothing(names):
    mounts = [{"Name": names.secrets("web")}]
    copy = keeper(Names=["/somebody"], Mounts=mounts)
    found = states(names, listed(Mounts=mounts), copy)
    assert found.units["web"].defect
    assert found.leftovers == ()


def test_a_unit_made_from_an_image_of_a_keeper_is_the_unit(names):
    found = states(names, listed(Labels={n.UNIT: "web", n.SECRETS_CONTAINER: "secrets"}))
    assert (set(found.units), found.leftovers) == ({"web"}, ())


def test_labels_that_somebody_wrote_by_hand_are_borne_with(names):
    odd = {n.UNIT: "web", n.SERVICE: "", n.REPLICA: "²", n.RUN: "no JSON"}
    unit = states(names, listed(Labels=odd), listed("db", Labels={n.UNIT: ""})).units["web"]
    assert (unit.service, unit.replica) == ("web", 1)


def test_addresses_are_reported_once_and_as_they_can_be_opened(names):
    ports = [
        {"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
        {"IP": "::", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
        {"IP": "127.0.0.1", "PrivatePort": 53, "PublicPort": 53, "Type": "udp"},
        {"PrivatePort": 9000, "Type": "tcp"},
    ]
    assert states(names, listed(Ports=ports)).units["web"].addresses == (
        "127.0.0.1:53/udp",
        "127.0.0.1:8080",
    )
    gone = listed(state="exited", status="Exited (1) now", Ports=ports)
    assert states(names, gone, details={"web-id": {}}).units["web"].addresses == ()


RUN = json.dumps({"secrets": [{"name": "token", "target": "/run/secrets/token"}]})


@pytest.mark.parametrize(
    ("keepers", "files", "state", "defect", "restart"),
    [
        (["running"], (), "running", "", False),
        (["paused"], (), "running", "", False),
        (["exited"], ("token",), "running", "its secrets will be lost when it exits: the container that kept them is stopped", False),
        ([], ("token",), "paused", "its secrets will be lost when it exits: the container that kept them is removed", False),
        (["exited"], (), "running", "its secrets are lost: the container that kept them is stopped", True),
        (["exited"], ("token",), "exited", "its secrets are lost: the container that kept them is stopped", False),
    ],
)  # fmt: skip
def test_secrets_are_lost_where_neither_the_keeper_nor_the_unit_has_them(
    names, keepers, files, state, defect, restart
):
    mounts = [{"Name": names.secrets("web")}]
    labels = {n.UNIT: "web", n.SERVICE: "web", n.RUN: RUN}
    web = listed(state=state, status="Exited (1) now", Labels=labels, Mounts=mounts)
    there = [web, *(keeper(State=one, Mounts=mounts) for one in keepers)]
    engine = CannedEngine(there, details={"web-id": {}}, files=files)
    unit = observe(engine, names, plan=None).units["web"]

    assert (unit.defect, unit.needs_restart) == (defect, restart)


def test_volumes_networks_and_images_are_reported_by_their_labels(names):
    found = states(
        names,
        *(
            listed(build, Labels={n.UNIT: build, n.BUILD: build})
            for build in ("b1", "b2", "b3", "b4")
        ),
        volumes=[{"Name": "v1", "Labels": {n.VOLUME: "data"}}, {"Name": "v2", "Labels": {}}],
        networks=[{"Name": "net"}],
        images_by_id={
            "envctl/shop:b1": {"Id": "i1", "Config": {"Labels": {n.BUILD: "b1", n.STEPS: "[]"}}},
            # Somebody gave a build's name to another image, or took it away.
            "envctl/shop:b2": {"Id": "i2", "Config": {"Labels": {n.BUILD: "b9"}}},
            "envctl/shop:b3": {"Id": "i3", "Config": None},
        },
    )
    assert found.volumes == {"data"}
    assert found.leftovers == ("network net", "volume v2")
    assert found.images == {"b1": "[]"}
