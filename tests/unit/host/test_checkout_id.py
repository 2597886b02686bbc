"""Which checkout a folder is, after it was moved or copied."""

from __future__ import annotations

import hashlib

import pytest

from envctl.errors import EnvctlError
from envctl.host.checkout_id import adopt, home_of, homes, identify
from envctl.host.private_state import private_folder, state_path
from envctl.plan.scope import make_scope


@pytest.fixture(autouse=True)
def _state(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def test_a_folder_is_its_own_checkout_and_nothing_is_written_to_know_that(tmp_path):
    assert home_of(tmp_path) == ""
    assert make_scope("shop", "dev", tmp_path, home=home_of(tmp_path)).origin == str(tmp_path)
    assert not (tmp_path / "state").exists()


def test_a_moved_folder_has_the_id_and_the_state_of_the_former_one_and_moves_on(tmp_path):
    old, new, third = (tmp_path / name for name in ("old", "new", "third"))
    (private_folder(old, "secrets", "dev") / "key").write_text("k")
    for name in ("cache", "locks"):
        (private_folder(old, name) / "x").write_text("")
    (private_folder(old) / "allowed.json").write_text("{}")
    private_folder(new, "secrets")

    adopt(old, str(old), new)
    scope = make_scope("shop", "dev", new, home=home_of(new))

    assert (scope.project_id, scope.root, scope.home) == (identify(str(old)), str(new), str(old))
    assert homes()[scope.project_id] == (str(old), str(new))
    assert state_path(new, "secrets", "dev", "key").read_text() == "k"
    # What was allowed to a folder was allowed to that folder.
    assert not state_path(new, "allowed.json").exists()
    # What was kept to be quick, and locks, are of the place.
    assert not state_path(new, "cache", "x").exists()
    assert not state_path(new, "locks", "x").exists()
    adopt(new, str(old), third)
    assert homes()[scope.project_id] == (str(old), str(third))
    assert state_path(third, "secrets", "dev", "key").read_text() == "k"


def test_a_folder_that_is_still_there_is_another_checkout_once_its_own_is_taken(tmp_path):
    old, copy = tmp_path / "old", tmp_path / "copy"
    old.mkdir()

    adopt(old, str(old), copy)

    taken = make_scope("shop", "dev", copy, home=home_of(copy))
    left = make_scope("shop", "dev", old, home=home_of(old))
    assert taken.project_id == identify(str(old))
    assert left.project_id != taken.project_id
    assert left.root == str(old)


def test_what_comes_to_the_place_of_a_folder_that_was_moved_is_another_checkout(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    (private_folder(old, "secrets", "dev") / "key").write_text("k")
    adopt(old, str(old), new)

    # A fresh clone in the former place has neither what is up nor its secrets.
    old.mkdir()
    scope = make_scope("shop", "dev", old, home=home_of(old))
    assert scope.project_id != make_scope("shop", "dev", new, home=home_of(new)).project_id
    assert scope.root == str(old)
    assert not state_path(old, "secrets").exists()
    # It moves as any other does.
    third = tmp_path / "third"
    adopt(old, home_of(old), third)
    assert home_of(third) == scope.home


def test_each_checkout_is_told_by_its_id_with_its_home_and_where_it_is_now(tmp_path):
    old, new, other = (tmp_path / name for name in ("old", "new", "other"))
    for folder in (old, other):
        private_folder(folder)
    adopt(old, str(old), new)
    # The former place is a checkout of its own, under a name that no folder has.
    left = home_of(old)

    assert homes() == {
        identify(str(other)): (str(other), str(other)),
        identify(str(old)): (str(old), str(new)),
        identify(left): (left, str(old)),
    }
    assert identify(str(old)) == hashlib.sha256(str(old).encode()).hexdigest()[:8]


def test_of_two_folders_with_one_home_the_moved_one_is_told(tmp_path):
    # Such as after the state of a host was put together from two backups.
    old, new = tmp_path / "old", tmp_path / "new"
    private_folder(old)
    (private_folder(new) / "home").write_text(f"{old}\n")
    (private_folder(new) / "home").chmod(0o600)

    assert homes() == {identify(str(old)): (str(old), str(new))}


def test_state_of_a_folders_own_is_not_replaced(tmp_path):
    for name in ("old", "new"):
        (private_folder(tmp_path / name, "secrets", "dev") / "key").write_text(name)

    with pytest.raises(EnvctlError, match="has state that belongs to this folder"):
        adopt(tmp_path / "old", str(tmp_path / "old"), tmp_path / "new")

    assert home_of(tmp_path / "new") == ""
    assert state_path(tmp_path / "old", "secrets", "dev", "key").read_text() == "old"
