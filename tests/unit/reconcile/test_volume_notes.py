"""What is said of data before anything is done to it."""

from __future__ import annotations

from dataclasses import replace

from envctl.errors import Place
from envctl.plan.image_volumes import unnamed
from envctl.plan.model import NewVolume, Process, ReadyImage, Volume
from envctl.planner.new_volumes import with_new_volumes
from envctl.reconcile import compare
from envctl.reconcile.volume_notes import notes, unused
from tests.support.plans import observed, packages, plan, unit

DATA, DATA2 = Volume("data", "/data"), Volume("data2", "/data")


def said(*args, image_volumes=None, sizes=None):
    found = notes(*args, image_volumes=image_volumes or {}, sizes=sizes or {})
    return [(str(note.state), note.volume, note.text, str(note.where)) for note in found]


def test_a_renamed_volume_is_named_with_what_becomes_of_the_data():
    old, new = unit("db", volumes=(DATA,)), unit(
        "db", volumes=(DATA2,), origins={"volumes.data2": Place("envctl.yaml", 9, 5)}
    )  # fmt: skip
    there = observed(old, volumes=frozenset({"data"}))

    assert said(plan(new), there) == [
        (
            "new",
            "data2",
            (
                "volume data → data2: data2 is new and does not have the data of data, which stays;"
                " to use its data, name it data again; `envctl down --volumes` deletes it with all"
                " other data of the environment"
            ),
            "envctl.yaml:9:5",
        )
    ]


def test_a_volume_that_is_dropped_from_the_spec_is_named_with_its_size():
    there = observed(unit("db", volumes=(DATA,)), volumes=frozenset({"data"}))

    assert said(plan(unit("db")), there, sizes={"data": 12_345_678}) == [
        (
            "unused",
            "data",
            (
                "volume data is no longer in the spec; it stays (12 MB): `envctl down --volumes`"
                " deletes it with all other data of the environment"
            ),
            "None",
        )
    ]


def test_a_volume_of_an_image_is_named_and_what_it_was_when_the_spec_names_it():
    there = observed(unit("db"), volumes=frozenset({"db:/data"}))
    own = {"db": (Volume("db:/data", "/data"),)}

    (kept,) = said(plan(unit("db")), there, image_volumes=own)
    assert kept[:3] == (
        "kept",
        "db:/data",
        "db keeps /data, a volume of its image that is not in the spec, as db:/data",
    )
    (named,) = said(plan(unit("db", volumes=(DATA,))), there)
    assert named[1] == "data"
    assert "db:/data → data: data is new" in named[2]
    assert unused(plan(unit("web")), there) == ("db:/data",)


def test_users_that_share_a_new_volume_are_told_apart_with_both_places():
    def made(name, user, line, **volume):
        one = unit(
            name, volumes=(replace(DATA, **volume),),
            origins={"volumes.data": Place("envctl.yaml", line, 3)},
        )  # fmt: skip
        return replace(one, run=replace(one.run, process=Process(("x",), user)))

    def shared(*units, owners=None):
        return plan(*with_new_volumes(units, owners or {}))

    web, worker = made("web", "web", 4), made("worker", "worker", 7)
    ((state, _, text, where),) = said(shared(web, worker), observed())
    assert (state, where) == ("shared", "envctl.yaml:4:3")
    assert "web (user web) and worker (user worker, envctl.yaml:7:3)" in text

    assert said(shared(web, worker), observed(volumes=frozenset({"data"}))) == []
    assert said(shared(web, worker, owners={"data": "web"}), observed()) == []
    assert said(shared(web, made("worker", "worker", 7, read_only=True)), observed()) == []
    assert said(shared(web, made("worker", "web", 7)), observed()) == []


def test_a_shared_volume_begins_as_the_first_that_can_write_has_it():
    reader = unit("reader", volumes=(replace(DATA, read_only=True),))
    units = with_new_volumes(
        (reader, unit("web", volumes=(DATA,)), unit("x", volumes=(DATA2,))), {}
    )

    assert [one.run.volumes[0].new and one.run.volumes[0].new.unit for one in units] == [
        "web", "web", None,
    ]  # fmt: skip
    assert with_new_volumes((unit("x", volumes=(DATA2,)),), {"data2": "1:2"})[0].run.volumes[
        0
    ].new == NewVolume("x", unit("x").source, "/data", "1:2")


def test_whoever_is_made_first_waits_for_the_image_that_a_shared_volume_begins_as():
    first = unit("web", packages("nginx"), volumes=(DATA,))
    second = unit("worker", packages("python3"), volumes=(DATA,))
    shared = plan(*with_new_volumes((first, second), {}))

    changes = {one.key: one for one in compare.compare(shared, observed())}
    assert set(changes["worker"].needs) == {"build:web", "build:worker"}
    chosen = compare.only(tuple(changes.values()), frozenset({"worker"}))
    assert [str(one.action) + " " + one.unit for one in chosen] == [
        "build web", "build worker", "create worker",
    ]  # fmt: skip
    there = observed(volumes=frozenset({"data"}))
    assert {one.key: one for one in compare.compare(shared, there)}["worker"].needs == (
        "build:worker",
    )


def test_what_an_image_declares_is_the_units_own_but_where_the_spec_has_something():
    db = replace(
        unit("db", volumes=(DATA,), options={"tmpfs": {"/tmp": ""}}), source=ReadyImage("pg")
    )

    found = unnamed(db, ("/data/", "/tmp", "var/lib/../lib/pg", "/data/sub", "/"))

    assert found == (Volume("db:/data/sub", "/data/sub"), Volume("db:/var/lib/pg", "/var/lib/pg"))
