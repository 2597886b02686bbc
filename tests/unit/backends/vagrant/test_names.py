"""What machines, networks, disks and keys of an environment are called, and whose a name is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from envctl.backends.vagrant.names import SHARED, MachineNames, vagrant_home
from envctl.plan.scope import Scope

OWN = MachineNames(Scope("shop", "0a1b2c3d", "dev", "/srv/shop"))
OTHERS = [
    MachineNames(Scope("shop", "ffffffff", "dev", "/srv/shop")),
    MachineNames(Scope("shop", "0a1b2c3d", "test", "/srv/shop")),
    MachineNames(Scope("shop", "0a1b2c3d", "dev-x", "/srv/shop")),
]


@pytest.mark.parametrize(
    ("folder", "prefix"),
    [
        ("/srv/shop", "shop-0a1b2c3d-dev"),
        ("/srv/My Shop_2!", "my-shop-2-0a1b2c3d-dev"),
        ("/srv/--a--", "a-0a1b2c3d-dev"),
        ("/srv/Ü", "project-0a1b2c3d-dev"),
        ("/", "project-0a1b2c3d-dev"),
        (f"/srv/{'x' * 50}", f"{'x' * 40}-0a1b2c3d-dev"),
    ],
)
def test_an_environments_resources_are_named_after_the_folder_of_its_checkout(folder, prefix):
    names = MachineNames(Scope("other", "0a1b2c3d", "dev", folder))
    assert names.prefix == names.network == prefix
    moved = MachineNames(Scope("other", "0a1b2c3d", "dev", "/elsewhere", folder))
    assert moved.prefix == prefix


@pytest.mark.parametrize("unit", ["web", "web-2", "a.b", SHARED])
def test_a_domain_tells_its_unit_and_environment_to_its_own_checkout_only(unit):
    assert OWN.unit(OWN.domain(unit)) == unit
    assert OWN.environment(OWN.domain(unit)) == "dev"
    stranger, *siblings = OTHERS
    assert [OWN.unit(other.domain(unit)) for other in OTHERS] == [None] * 3
    assert OWN.environment(stranger.domain(unit)) is None
    assert [OWN.environment(other.domain(unit)) for other in siblings] == ["test", "dev-x"]


@pytest.mark.parametrize("domain", ["", "debian", "shop-0a1b2c3d-dev", "shop-0a1b2c3d-dev_"])
def test_a_domain_of_no_unit_is_none_of_ours(domain):
    assert OWN.unit(domain) is None
    assert OWN.environment(domain) is None


def test_a_disk_of_another_environment_or_of_no_volume_is_not_a_volume_of_ours():
    assert OWN.volume(OWN.disk("data")) == "data"
    assert [OWN.volume(other.disk("data")) for other in OTHERS] == [None] * 3
    assert OWN.volume(f"{OWN.domain('web')}.img") is None


def test_addresses_stay_as_they_are_and_clear_of_what_others_use():
    """Machines that run have them: another network for the same name would cut them off."""
    assert OWN.addresses == "10.221.114"
    for other in OTHERS:
        first, second, third = map(int, other.addresses.split("."))
        assert first == 10
        assert 128 <= second < 255
        assert 0 <= third < 256


def test_machines_that_have_a_vagrantfile_are_likely_there(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    names = MachineNames(Scope("shop", "0a1b2c3d", "dev", "/srv/shop"))
    assert names.likely == []
    for machine in ("web", "db", "_all", "No Machine", "web 2"):
        names.machine(machine).mkdir(parents=True)
        (names.machine(machine) / "Vagrantfile").touch()
    names.machine("empty").mkdir()
    assert names.likely == [names.domain(machine) for machine in ("_all", "db", "web")]


def test_the_key_lies_with_the_environments_machines(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert OWN.key == OWN.folder / "key"
    assert re.fullmatch(rf"{re.escape(str(tmp_path))}/.+/vagrant/dev", str(OWN.folder))


@pytest.mark.parametrize("environ", [{}, {"VAGRANT_HOME": ""}])
def test_vagrants_home_is_in_the_users_unless_it_is_named(environ):
    assert vagrant_home(environ) == Path.home() / ".vagrant.d"
    assert vagrant_home({"VAGRANT_HOME": "/srv/vagrant"}) == Path("/srv/vagrant")
