"""MachineNames, options, boots and Vagrantfiles: nothing is asked, nothing is run."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from envctl.backends.base import Context
from envctl.backends.docker import DockerBackend
from envctl.backends.vagrant import VagrantBackend, layout, libvirt, options
from envctl.backends.vagrant.box import boot, box_store
from envctl.backends.vagrant.machine import vagrantfile
from envctl.backends.vagrant.names import MachineNames
from envctl.backends.vagrant.observe import scope_of
from envctl.host.private_state import private_folder, state_path
from envctl.plan.model import (
    DockerfileBuild,
    InstallPackages,
    Mount,
    Port,
    ReadyImage,
    Resources,
    Volume,
)
from envctl.plan.scope import Scope, make_scope
from envctl.render.templates import Templates
from tests.support.plans import SCOPE, plan, unit

NAMES = MachineNames(SCOPE)


def text_of(*units):
    context = vagrantfile.context(
        NAMES,
        {one.name: layout.machine_of(one) for one in units},
        {one.name: f"box-of-{one.name}" for one in units},
        key="/srv/shop/.envctl/vagrant/dev/key",
        public_key="AAAA",
    )
    return Templates(None).render("vagrant/Vagrantfile.j2", context)


def test_what_belongs_to_one_environment_is_reported_from_what_does_not():
    other = MachineNames(Scope("shop", "ffffffff", "dev", "/elsewhere"))
    assert NAMES.unit(NAMES.domain("web-2")) == "web-2"
    assert NAMES.unit(other.domain("web")) is None
    assert NAMES.volume(NAMES.disk("data")) == "data"
    assert NAMES.volume(f"{NAMES.domain('web')}.img") is None
    assert NAMES.addresses != other.addresses
    assert NAMES.addresses.startswith("10.")


def test_a_machine_has_its_disks_shares_and_size_in_its_vagrantfile(tmp_path):
    web = unit(
        "web",
        volumes=(Volume("data", "/var/it's"),),
        mounts=(Mount("/srv/shop/#{x}", "/mnt/a b", read_only=True),),
        resources=Resources(1.5, 512 * 1024**2),
    )
    text = text_of(web)

    assert "libvirt.cpus = 2" in text
    assert "libvirt.memory = 768" in text
    assert "path: 'shop-0a1b2c3d-dev_data.volume.qcow2', size: '10G'" in text
    assert "synced_folder '/srv/shop/#{x}', '/mnt/a b', type: \"virtiofs\", mount: false" in text
    assert "envctl.volume=volume0:/var/it\\\\0047s" in text
    assert "envctl.share=ro-" in text
    assert text == text_of(web)


@pytest.mark.parametrize(
    ("given", "name"),
    [({"cpus": 0}, "cpus"), ({"memory": "1m"}, "memory"), ({"memroy": "1g"}, "memroy"), ({"disk_size": "x"}, "disk_size")],
)  # fmt: skip
def test_an_option_that_is_none_is_reported(given, name):
    (problem,) = options.problems(given)
    assert problem[0] == name


def test_a_machine_that_is_smaller_than_its_units_limit_is_reported():
    def told(memory):
        web = unit("web", resources=Resources(None, 512 * 1024**2), options={"memory": memory})
        return [one.message for one in VagrantBackend(Context(SCOPE)).problems(plan(web))]

    assert told("256m") == [
        "web: the machine needs 512 MiB more for the service's limit and itself"
    ]
    assert told("768m") == []


def test_what_machines_cannot_do_is_reported_before_anything_is_done(tmp_path):
    backend = VagrantBackend(Context(SCOPE))
    wanted = plan(
        unit("ready", image="redis:7"),
        unit("one", volumes=(Volume("data", "/a"),), ports=(Port(53, protocol="udp"),)),
        unit("two", volumes=(Volume("data", "/b"),), mounts=(Mount(str(tmp_path / "file"), "/x"),)),
    )

    assert [problem.message for problem in backend.problems(wanted)] == [
        "one: a machine publishes TCP ports only, and 53 is UDP",
        f"two: only folders can be mounted in a machine; {tmp_path}/file is not a folder",
        "the volume data is a disk and cannot be used by two machines: one and two",
    ]


def test_a_folder_that_virtiofs_cannot_take_is_refused_with_its_name(tmp_path):
    (tmp_path / "a, b").mkdir()
    mount = Mount(str(tmp_path / "a, b"), "/x")
    (problem,) = VagrantBackend(Context(SCOPE)).problems(plan(unit("web", mounts=(mount,))))
    assert problem.message == (
        f"web: a path with a comma cannot be mounted in a machine: {tmp_path}/a, b"
    )


def test_a_machines_image_adds_nothing_but_init_ssh_and_their_settings():
    build = boot.machine_build("envctl/shop:abc")
    assert build.base.image == "envctl/shop:abc"
    assert build == boot.machine_build("envctl/shop:abc")
    assert box_store.kind() == box_store.kind()


def installed(beside):
    return [step.names for step in beside.build.steps if isinstance(step, InstallPackages)]


@pytest.mark.parametrize(
    "source", [ReadyImage("redis:7"), DockerfileBuild(".", "Dockerfile", "0" * 24)]
)
def test_for_a_container_image_a_machine_is_made_of_one_with_an_engine(source):
    engine = DockerBackend(Context(SCOPE))
    backend = VagrantBackend(Context(SCOPE, images=lambda: engine))

    kernel, docker, machine = backend.extra_builds(source)

    assert kernel.downloads == (boot.KERNEL_PACKAGE,)
    assert installed(docker) == [("docker.io",)]
    assert docker.build.base == boot.KERNEL_BASE
    assert machine.build.base.image == engine.name_of(docker.build)
    assert installed(machine) == [boot.PACKAGES]


def test_for_a_build_a_machine_is_made_of_its_own_image():
    engine = DockerBackend(Context(SCOPE))
    build = unit("web").source

    _, machine = VagrantBackend(Context(SCOPE, images=lambda: engine)).extra_builds(build)

    assert machine.build.base.image == engine.name_of(build)


def test_whose_a_machine_is_is_reported_by_its_stamp_and_else_by_its_name():
    own = make_scope("shop", "dev-x", Path("/srv/My Shop"))
    prefix = MachineNames(own).prefix
    stamped = libvirt.Domain(f"{prefix}_web", "u", state="running", stamp={"scope": asdict(own)})

    assert scope_of(prefix, stamped) == own
    assert scope_of("other-0a1b2c3d-dev", stamped) == Scope("", "0a1b2c3d", "dev", "", "other")
    found = scope_of(prefix, None)
    assert found is not None
    assert (found.project_id, found.environment) == (own.project_id, "dev-x")
    assert MachineNames(found).prefix == prefix
    assert scope_of("debian-bookworm", None) is None


def test_a_disk_tells_its_volume_whatever_it_is_called():
    names = MachineNames(make_scope("shop", "dev", Path("/srv/shop")))

    for volume in ("data", "db:/var/lib/my_data", "db:/a%2Fb c"):
        disk = names.disk(volume)
        assert "/" not in disk
        assert names.volume(disk) == volume


def test_after_a_move_the_files_of_machines_name_their_key_where_it_is_now(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    backend = VagrantBackend(Context(make_scope("shop", "dev", tmp_path / "new")))
    folder = private_folder(tmp_path / "new", "vagrant", "dev", "web")
    former = state_path(tmp_path / "old")
    (folder / "Vagrantfile").write_text(f"key = '{former}/vagrant/dev/key'\n")

    backend.moved(former)

    assert (folder / "Vagrantfile").read_text() == f"key = '{folder.parent / 'key'}'\n"


MIB = 1024**2


@pytest.mark.parametrize(
    ("name", "value", "fits"),
    [
        ("cpus", 1, True),
        ("cpus", 0, False),
        ("cpus", True, False),
        ("cpus", "2", False),
        ("cpus", 1.5, False),
        ("memory", "128m", True),
        ("memory", 128 * MIB, True),
        ("memory", 128 * MIB - 1, False),
        ("memory", "131072k", True),
        ("memory", " 1 GB ", True),
        ("memory", "1g or more", False),
        ("memory", "134217728b", True),
        ("memory", "127m", False),
        ("memory", True, False),
        ("memory", "much", False),
        ("memory", None, False),
        ("memory", "1t", False),
        ("stop_signal", "SIGRTMIN+3", True),
        ("stop_signal", "SIGINT\nUser=root", False),
        ("stop_signal", 2, False),
        ("disk_size", "1g", True),
        ("disk_size", "1023m", False),
        ("disk_size", "1024m", True),
        ("layout", "single", True),
        ("layout", "machine", True),
        ("layout", "both", False),
        ("layout", None, False),
        ("build", "image", True),
        ("build", "provision", True),
        ("build", "auto", True),
        ("build", "", False),
        ("ulimits", {"nofile": 5}, True),
        ("ulimits", {"files": 5}, False),
        ("ulimits", 5, False),
    ],
)
def test_an_option_fits_or_is_reported_with_what_was_expected(name, value, fits):
    found = options.problems({name: value})
    if fits:
        assert found == []
    else:
        ((told, message, expected, hint),) = found
        assert (told, expected, hint) == (name, options.EXPECTED[name], "")
        assert message.endswith(f" is not a valid value for {name}")


def test_an_option_that_is_none_is_reported_with_the_nearest_or_all():
    ((_, message, known, hint),) = options.problems({"memroy": 1})
    assert (message, hint) == ("no such option: options.vagrant.memroy", "did you mean 'memory'?")
    assert known == "one of cpus, memory, disk_size, stop_signal, ulimits, layout, build"
    assert options.problems({"zzz": 1})[0][3] == ""


@pytest.mark.parametrize(
    ("given", "limit", "expected", "lacks"),
    [
        (None, None, 512, 0),
        (None, 300 * MIB, 556, 0),
        ("1g", None, 1024, 0),
        ("1g", 300 * MIB, 1024, 0),
        ("512m", 256 * MIB, 512, 0),
        ("512m", 257 * MIB, 512, 1),
        ("256m", 512 * MIB, 256, 512),
        (f"{200 * 1024}k", None, 200, 0),
    ],
)
def test_a_machine_has_the_memory_it_is_given_or_its_units_limit_and_room_for_itself(
    given, limit, expected, lacks
):
    web = unit("web", resources=Resources(None, limit), options={"memory": given} if given else {})
    assert (options.memory(web), options.missing_memory(web)) == (expected, lacks)
    assert options.memory_together([web]) == max(expected, (limit or 256 * MIB) // MIB + 256)


def test_one_machine_for_several_units_has_room_for_all_and_no_less_than_any_asks_for():
    small = unit("a", resources=Resources(None, 100 * MIB))
    free = unit("b")
    large = unit("c", options={"memory": "2g"})
    assert options.memory_together([small, free]) == 100 + 256 + 256
    assert options.memory_together([small, free, large]) == 2048


@pytest.mark.parametrize(
    ("asked", "limit", "expected"),
    [(None, None, 1), (None, 0.5, 1), (None, 1.5, 2), (3, 0.5, 3), (1, 4, 1)],
)
def test_a_machine_has_as_many_processors_as_asked_for_or_as_its_units_limit_needs(
    asked, limit, expected
):
    web = unit("web", resources=Resources(limit, None), options={"cpus": asked} if asked else {})
    assert options.cpus(web) == expected


@pytest.mark.parametrize(("size", "shown"), [(None, "10G"), ("1g", "1G"), ("2560m", "2G"), (3 * 1024**3, "3G")])  # fmt: skip
def test_a_volumes_size_is_reported_to_vagrant_in_gibibytes(size, shown):
    assert options.disk_size(unit("web", options={"disk_size": size} if size else {})) == shown
