"""Units in machines of their own, or together in one: decided from the plan alone."""

from __future__ import annotations

from envctl.backends.base import Context
from envctl.backends.vagrant import VagrantBackend, layout, options
from envctl.backends.vagrant.names import SHARED
from envctl.errors import Place
from envctl.plan.model import (
    Base,
    Build,
    CopyFiles,
    CopyFromStage,
    CreateUser,
    InstallPackages,
    Mount,
    Port,
    Probe,
    ProbeKind,
    Resources,
    Secret,
    Volume,
    WriteFile,
)
from tests.support.plans import BASE, SCOPE, build, packages, plan, script, unit
from tests.support.taken import tree

SINGLE = {"layout": "single"}
BACKEND = VagrantBackend(Context(SCOPE))


def together(*units):
    return layout.lay_out(plan(*units)).units


def test_units_are_apart_unless_they_say_otherwise():
    one, two = together(unit("one"), unit("two", options={"layout": "machine", "cpus": 2}))

    assert not layout.is_shared(one)
    assert layout.machine_of(two).name == "two"
    assert two.run.options == {"cpus": 2}


def test_units_of_one_machine_share_a_build_with_the_steps_of_all_once():
    web = unit("web", packages("curl"), script("make web"), options=SINGLE)
    db = unit("db", packages("postgresql"), script("make web"), script("make db"), options=SINGLE)
    other = unit("other", script("make other"))
    first, second, third = together(web, db, other)

    assert isinstance(first.source, Build)
    assert first.source == second.source
    assert first.source.digest not in {web.source.digest, db.source.digest}
    assert [type(step).__name__ for step in first.source.steps] == [
        "InstallPackages", "InstallPackages", "RunCommand", "RunCommand",
    ]  # fmt: skip
    assert third.source == other.source
    assert layout.machine_of(first) == layout.machine_of(second)
    assert layout.machine_of(first).name == SHARED


def test_units_of_one_machine_and_one_build_have_that_build_however_many_they_are():
    first, second = (unit(name, script("make it"), options=SINGLE) for name in ("one", "two"))

    alone, both = together(first), together(first, second)

    assert [one.source for one in (*alone, *both)] == [first.source] * 3
    assert layout.is_shared(alone[0])


def test_a_shared_machine_has_the_disks_folders_and_room_of_all():
    web = unit("web", options=SINGLE, mounts=(Mount("/a", "/b"),), resources=Resources(1.5, 2**30))
    db = unit(
        "db",
        options={**SINGLE, "disk_size": "20g"},
        volumes=(Volume("data", "/var/lib"),),
        resources=Resources(1, 2**29),
    )
    machine = layout.machine_of(together(web, db)[0])

    assert machine.volumes == (Volume("data", "/var/lib"),)
    assert machine.mounts == (Mount("/a", "/b"),)
    assert (machine.cpus, machine.memory, machine.disk_size) == (3, 1024 + 512 + 256, "20G")


def test_another_disk_is_another_machine_for_every_unit_in_it():
    web, db = unit("web", options=SINGLE), unit("db", options=SINGLE)
    with_disk = unit("db", options=SINGLE, volumes=(Volume("data", "/var/lib"),))

    before, after = together(web, db)[0], together(web, with_disk)[0]

    assert before.run != after.run
    assert layout.machine_of(before).digest != layout.machine_of(after).digest


def test_how_a_box_is_made_changes_no_unit():
    one, two = together(unit("one", options={"build": "provision"}), unit("one"))

    assert isinstance(one.source, Build)
    assert isinstance(two.source, Build)
    assert (one.source.strategy, two.source.strategy) == ("provision", options.AUTO)
    assert one == two


def test_what_cannot_be_together_is_reported_before_anything_is_done():
    def user(uid):
        return CreateUser("app", uid, "/home/app")

    def file(text):
        return WriteFile("/etc/motd", text)

    asked = Probe(ProbeKind.HTTP, ("http://127.0.0.1:8000/",))
    wanted = plan(
        unit("one", user(1), file("a"), options=SINGLE, ports=(Port(80),), probe=asked),
        unit("two", user(2), file("b"), options=SINGLE, ports=(Port(80), Port(8000))),
        unit("three", options=SINGLE, image="redis:7"),
        unit("four", user(3), file("c"), ports=(Port(80),)),
    )

    assert [problem.message for problem in BACKEND.problems(wanted)] == [
        "two and one cannot share a machine: they differ in the user app",
        "two and one cannot share a machine: they differ in the file /etc/motd",
        "two and one cannot share a machine: the port 80 is used by both",
        "two and one cannot share a machine: the port 8000 is used by both",
        "three: a container image needs its own machine",
    ]


def test_files_of_several_units_can_lie_in_one_folder():
    app = CopyFiles("app", "/srv", "hash", tree=tree("app", "a.py", "sub/b.py"))
    list_ = CopyFiles("requirements.txt", "/srv/", "hash", tree=tree("requirements.txt"))
    beside = CopyFiles("tools", "/srv", "hash", tree=tree("tools", "c.py"))
    fine = plan(
        unit("one", list_, app, options=SINGLE),
        unit("two", beside, options=SINGLE),
        unit("three", list_, options=SINGLE),
    )
    over = CopyFiles("other", "/srv/sub", "hash", tree=tree("other", "b.py"))
    clash = plan(unit("one", app, options=SINGLE), unit("two", over, options=SINGLE))

    assert BACKEND.problems(fine) == ()
    assert [problem.message for problem in BACKEND.problems(clash)] == [
        "two and one cannot share a machine: they differ in the file /srv/sub/b.py"
    ]


def test_what_would_hide_or_replace_anothers_is_reported():
    one = unit(
        "one",
        CreateUser("a", 1000, "/home/a"),
        options=SINGLE,
        volumes=(Volume("data", "/data"),),
        secrets=(Secret("x", "/etc/token"), Secret("x", "/run/secrets/same")),
    )
    two = unit(
        "two",
        CreateUser("b", 1000, "/home/b"),
        CopyFiles("app", "/srv/app", "hash", tree=tree("app", "a.py")),
        options=SINGLE,
        volumes=(Volume("data", "/other"),),
        mounts=(Mount("/tmp", "/data"),),
        secrets=(Secret("y", "/etc/token"), Secret("y", "/run/secrets/same")),
    )
    three = unit("three", options=SINGLE, mounts=(Mount("/tmp", "/srv"),))
    assert [problem.message for problem in BACKEND.problems(plan(one, two, three))] == [
        "two and one cannot share a machine: they differ in the user with the number 1000",
        "two and one cannot share a machine: they differ in the volume data",
        "two and one cannot share a machine: they differ in the volume or mount at /data",
        "two and one cannot share a machine: they differ in the secret at /etc/token",
        "three and two cannot share a machine: the mount of three at /srv would hide two's /srv/app/a.py",
    ]


def test_the_machines_own_port_is_reported():
    (problem,) = BACKEND.problems(plan(unit("git", ports=(Port(22, 2222),))))
    assert problem.message == "git: port 22 is used by the machine's SSH server"
    assert BACKEND.problems(plan(unit("git", image="git", ports=(Port(22, 2222),)))) != ()


def test_a_volume_can_be_shared_within_a_machine_only():
    data = (Volume("data", "/data"),)
    inside = plan(*(unit(name, options=SINGLE, volumes=data) for name in ("one", "two")))
    across = plan(unit("one", options=SINGLE, volumes=data), unit("two", volumes=data))

    assert BACKEND.problems(inside) == ()
    assert len(BACKEND.problems(across)) == 1


def test_a_shared_build_installs_all_packages_first():
    steps = together(
        unit("web", script("one"), options=SINGLE), unit("db", packages("x"), options=SINGLE)
    )[0].source.steps
    assert isinstance(steps[0], InstallPackages)


def test_what_is_copied_from_different_stages_to_one_place_cannot_share_a_machine():
    def app(command, target):
        stage = build(script(command))
        return CopyFromStage("/out/app", target, stage.digest, "compile", stage)

    one = unit("one", app("make one", "/usr/local/bin/"), options=SINGLE)
    same = unit("two", app("make one", "/usr/local/bin/app"), options=SINGLE)
    other = unit("two", app("make two", "/usr/local/bin/app"), options=SINGLE)

    assert BACKEND.problems(plan(one, same)) == ()
    assert [problem.message for problem in BACKEND.problems(plan(one, other))] == [
        "two and one cannot share a machine: they differ in the file /usr/local/bin/app"
    ]


def test_a_stage_of_a_build_in_a_machine_has_the_base_of_its_service():
    def web(base, way):
        stage = build(script("make"), base=base)
        copy = CopyFromStage("/out", "/srv", stage.digest, "compile", stage)
        return unit("web", copy, options={"build": way})

    other = Base("", "golang:1.22", where=Place("envctl.yaml", 5, 9))
    (problem,) = BACKEND.problems(plan(web(other, "provision")))

    assert problem.where == other.where
    assert (
        "the stage compile has the base golang:1.22, the service debian:bookworm" in problem.message
    )
    assert "same base" in problem.hint
    assert BACKEND.problems(plan(web(other, "image"))) == ()
    assert BACKEND.problems(plan(web(BASE, "provision"))) == ()
