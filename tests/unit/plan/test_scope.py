"""Which environment of which checkout something belongs to."""

from __future__ import annotations

from dataclasses import replace

from envctl.host.checkout_id import identify
from envctl.plan.scope import FoundEnvironment, Scope, make_scope


def test_a_checkout_is_known_by_the_folder_it_was_first_in(tmp_path):
    here, home = str(tmp_path), "/srv/old"
    assert make_scope("shop", "dev", tmp_path) == Scope("shop", identify(here), "dev", here)
    moved = make_scope("shop", "dev", tmp_path, home=home)
    assert moved == Scope("shop", identify(home), "dev", here, home)
    assert (moved.origin, make_scope("shop", "dev", tmp_path).origin) == (home, here)
    assert make_scope("shop", "dev", tmp_path, home=here).home == ""


def test_a_checkout_is_the_same_through_a_link(tmp_path):
    (tmp_path / "shop").mkdir()
    (tmp_path / "link").symlink_to("shop")
    assert make_scope("a", "dev", tmp_path / "link") == make_scope("a", "dev", tmp_path / "shop")


def test_the_mark_of_a_folder_is_short_plain_and_never_changes():
    assert identify("/srv/shop") == "e7c7ea0b"
    assert len(identify("/srv/\udcff")) == 8


def test_an_environment_is_lost_when_its_folder_is_gone(tmp_path):
    there = FoundEnvironment(make_scope("shop", "dev", tmp_path), "docker")
    assert not there.is_lost
    assert there.where == str(tmp_path)

    gone = replace(there, scope=replace(there.scope, root=str(tmp_path / "gone")))
    assert gone.is_lost

    (tmp_path / "file").touch()
    assert replace(there, scope=replace(there.scope, root=str(tmp_path / "file"))).is_lost


def test_an_environment_of_an_unknown_folder_is_lost_and_said_so():
    unknown = FoundEnvironment(Scope("shop", "0a1b2c3d", "dev", ""), "docker")
    assert unknown.is_lost
    assert unknown.where == "an unknown folder"
