"""Private state: outside the project, made for one user, closed to others, never reached through a link."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from envctl.errors import EnvctlError
from envctl.host.private_state import (
    existing_folder,
    hidden_below,
    is_private,
    likely_folder,
    open_private,
    private_folder,
    private_ids,
    refuse_foreign_state,
    state_home,
    state_path,
    take_over_state,
)
from tests.support.users import ORDINARY, OTHER, ordinary_user

WRITE = os.O_RDWR | os.O_CREAT


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def plant(root: Path, link: tuple[str, ...], target: Path) -> Path:
    """Put a link in the place of a part of the project's private folder."""
    place = state_path(root, *link)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target)
    return place


def test_the_folder_is_made_for_its_owner_alone_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        folder = private_folder(tmp_path, "secrets", "dev")
    finally:
        os.umask(before)

    assert folder == state_path(tmp_path, "secrets", "dev")
    assert {mode(one) for one in (folder, *folder.parents[:4])} == {0o700}


def test_nothing_of_it_is_in_the_project(tmp_path):
    private_folder(tmp_path, "secrets", "dev")
    assert list(tmp_path.iterdir()) == []


def test_two_projects_of_one_name_have_a_folder_each_and_each_says_whose_it_is(tmp_path):
    roots = [tmp_path / "a" / "shop", tmp_path / "b" / "shop"]
    folders = [private_folder(root) for root in roots]
    assert len(set(folders)) == 2
    assert [(one / "project").read_text() for one in folders] == [f"{root}\n" for root in roots]


def test_a_project_is_the_same_through_a_link(tmp_path):
    (tmp_path / "shop").mkdir()
    (tmp_path / "link").symlink_to("shop")
    assert state_path(tmp_path / "link") == state_path(tmp_path / "shop")


def test_the_state_home_is_the_one_that_is_named_if_it_is_absolute():
    assert state_home({"XDG_STATE_HOME": "/srv/state"}) == Path("/srv/state")
    assert state_home({"XDG_STATE_HOME": "state"}) == Path.home() / ".local/state"
    assert state_home({}) == Path.home() / ".local/state"


def test_a_state_home_that_cannot_be_used_is_reported_with_a_remedy(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with pytest.raises(EnvctlError, match="cannot be used") as caught:
        private_folder(tmp_path)
    assert "XDG_STATE_HOME" in caught.value.hint


def test_a_folder_that_is_open_to_others_is_closed(tmp_path):
    private_folder(tmp_path, "locks")
    for part in ((), ("locks",)):
        state_path(tmp_path, *part).chmod(0o777)

    assert existing_folder(tmp_path, "locks") == state_path(tmp_path, "locks")
    assert (mode(state_path(tmp_path)), mode(state_path(tmp_path, "locks"))) == (0o700, 0o700)


@pytest.fixture
def no_permissions(tmp_path, monkeypatch):
    """A state home as on a disk without permissions: all is open to everybody, and to close it changes nothing."""
    home = tmp_path / "disk"
    home.mkdir(mode=0o777)
    make = os.mkdir

    def open_to_all(path, _mode=0o777, *, dir_fd=None):
        make(path, dir_fd=dir_fd)
        os.chmod(path, 0o777, dir_fd=dir_fd)

    monkeypatch.setenv("XDG_STATE_HOME", str(home))
    monkeypatch.setattr(os, "mkdir", open_to_all)
    monkeypatch.setattr(os, "fchmod", lambda *_: None)
    return home


def test_a_disk_without_permissions_is_no_place_for_secrets(tmp_path, no_permissions):
    with pytest.raises(EnvctlError, match="its file system has no permissions") as caught:
        private_folder(tmp_path, "secrets")

    assert str(no_permissions / "envctl") in caught.value.brief
    assert "XDG_STATE_HOME" in caught.value.hint
    assert [path.name for path in no_permissions.rglob("*")] == ["envctl"]


def test_what_is_on_a_disk_without_permissions_can_still_be_looked_for(tmp_path, no_permissions):
    state_path(tmp_path, "secrets").mkdir(parents=True)

    assert existing_folder(tmp_path, "secrets") == state_path(tmp_path, "secrets")


def test_looking_for_a_folder_makes_none(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert existing_folder(tmp_path, "locks") is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("link", [(), ("secrets",), ("secrets", "dev")])
@pytest.mark.parametrize("find", [private_folder, existing_folder])
@pytest.mark.parametrize("there", [True, False])
def test_a_link_on_the_way_is_refused_and_not_followed(tmp_path, link, find, there):
    victim = tmp_path / "victim"
    if there:
        (victim / "secrets" / "dev").mkdir(parents=True)
    place = plant(tmp_path, link, victim)

    with pytest.raises(EnvctlError, match=f"{place} is a link") as caught:
        find(tmp_path, "secrets", "dev")

    assert "rm " in caught.value.hint
    assert victim.exists() is there


def test_a_file_in_the_place_of_the_folder_is_reported(tmp_path):
    state_path(tmp_path).parent.mkdir(parents=True, exist_ok=True)
    state_path(tmp_path).write_text("x")
    with pytest.raises(EnvctlError, match="is not a folder") as caught:
        private_folder(tmp_path)
    assert caught.value.hint


@pytest.fixture
def user(monkeypatch):
    """The folder of an ordinary user, who runs the test and has their private state in it."""
    with ordinary_user() as folder:
        monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
        yield folder


def test_a_user_has_private_state_as_root_has(user):
    folder = private_folder(user, "secrets", "dev")
    os.close(open_private(folder / "token", WRITE))

    assert existing_folder(user, "secrets", "dev") == folder
    assert {mode(one) for one in (folder, *folder.parents[:4])} == {0o700}
    assert mode(folder / "token") == 0o600
    assert {one.lstat().st_uid for one in (folder, folder / "token")} == {os.geteuid()}


def test_where_a_user_may_not_write_nothing_is_made_and_the_remedy_is_reported(user):
    (user / "state").mkdir(mode=0o500)
    with pytest.raises(EnvctlError, match=r"envctl cannot be (used|made)") as caught:
        private_folder(user, "secrets")
    assert caught.value.hint
    assert likely_folder(user, "secrets") == state_path(user, "secrets")
    assert list((user / "state").iterdir()) == []


def test_a_file_that_a_user_may_not_open_is_reported(user):
    folder = private_folder(user)
    (folder / "token").touch(mode=0o000)
    with pytest.raises(EnvctlError, match="token cannot be opened: Permission denied"):
        open_private(folder / "token", os.O_RDONLY)


@pytest.mark.as_root
def test_a_user_takes_roots_folders_for_safe_and_those_of_others_not(monkeypatch):
    for owner, refused in ((0, False), (OTHER, True)):
        with ordinary_user() as folder:
            monkeypatch.setenv("XDG_STATE_HOME", str(folder))
            place = private_folder(folder, "secrets")
            os.seteuid(0)
            os.chown(place, owner, owner)
            place.chmod(0o755)
            os.seteuid(ORDINARY)
            if refused:
                with pytest.raises(EnvctlError, match=rf"another user \(number {OTHER}\)"):
                    existing_folder(folder, "secrets")
            else:
                assert existing_folder(folder, "secrets") == place


@pytest.mark.as_root
def test_a_folder_of_another_user_is_refused(tmp_path):
    os.chown(private_folder(tmp_path), 12345, -1)
    with pytest.raises(EnvctlError, match="belongs to another user"):
        private_folder(tmp_path)


def test_a_file_is_made_for_its_owner_and_closed_if_it_was_open(tmp_path):
    os.close(open_private(tmp_path / "made", WRITE))
    assert mode(tmp_path / "made") == 0o600
    (tmp_path / "made").chmod(0o644)
    os.close(open_private(tmp_path / "made", os.O_RDONLY))
    assert mode(tmp_path / "made") == 0o600


def test_a_file_that_is_a_link_is_refused_and_left_alone(tmp_path):
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "link").symlink_to("victim")
    (tmp_path / "dangling").symlink_to("nowhere")

    for name in ("link", "dangling"):
        with pytest.raises(EnvctlError, match=f"{name} is a link"):
            open_private(tmp_path / name, WRITE)

    assert (tmp_path / "victim").read_text() == "precious"
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY, os.O_RDWR])
def test_what_is_no_regular_file_is_refused_at_once(tmp_path, flags):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(EnvctlError, match=f"{name} is not a regular file"):
            open_private(tmp_path / name, flags)


def test_a_missing_file_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        open_private(tmp_path / "none", os.O_RDONLY)


# --- state that is in the project's own folder, and of another folder


def old_state(root: Path) -> Path:
    """What an earlier envctl left in a project, or what a clone brings."""
    for path in ("secrets/.key", "secrets/dev/token", "vagrant/dev/key", "cache/resolved-dev.json"):
        file = root / ".envctl" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"old {path}")
    return root / ".envctl"


@pytest.mark.parametrize("part", ["secrets", "vagrant"])
def test_secrets_and_keys_in_the_project_are_refused_with_the_remedy(tmp_path, part):
    (tmp_path / ".envctl" / part / "dev").mkdir(parents=True)
    with pytest.raises(EnvctlError, match=r"\.envctl/\w+/dev is in the project") as caught:
        refuse_foreign_state(tmp_path, "dev")
    assert "remove it" in caught.value.hint
    assert "envctl trust --state" in caught.value.hint


def test_another_environment_and_mere_caches_are_no_reason_to_refuse(tmp_path):
    (tmp_path / ".envctl/cache").mkdir(parents=True)
    (tmp_path / ".envctl/secrets/prod").mkdir(parents=True)
    refuse_foreign_state(tmp_path, "dev")


def test_old_state_can_be_taken_over_and_then_is_private(tmp_path):
    former = old_state(tmp_path)

    assert take_over_state(tmp_path) == former

    assert not former.exists()
    assert state_path(tmp_path, "secrets", "dev", "token").read_text() == "old secrets/dev/token"
    assert state_path(tmp_path, "vagrant", "dev", "key").read_text() == "old vagrant/dev/key"
    assert not state_path(tmp_path, "cache").exists()
    refuse_foreign_state(tmp_path, "dev")
    assert take_over_state(tmp_path) is None


def test_what_is_not_envctls_stays_when_old_state_is_taken_over(tmp_path):
    former = old_state(tmp_path)
    (former / "notes.txt").write_text("mine")

    take_over_state(tmp_path)

    assert [path.name for path in former.iterdir()] == ["notes.txt"]
    assert (former / "notes.txt").read_text() == "mine"
    assert state_path(tmp_path, "secrets", "dev", "token").exists()


@pytest.mark.parametrize("link", ["secrets/dev/token", "secrets/dev", "secrets"])
def test_old_state_with_a_link_in_it_is_not_taken_over(tmp_path, link):
    (tmp_path / "victim").mkdir()
    place = tmp_path / ".envctl" / link
    place.parent.mkdir(parents=True)
    place.symlink_to(tmp_path / "victim")
    with pytest.raises(EnvctlError, match="is a link"):
        take_over_state(tmp_path)
    assert place.is_symlink()
    assert not state_path(tmp_path, "secrets").exists()


@pytest.mark.parametrize("named", ["", "state"])
def test_without_a_home_private_state_has_no_place(named, monkeypatch):
    def nowhere():
        raise RuntimeError

    monkeypatch.setattr(Path, "home", nowhere)
    with pytest.raises(EnvctlError, match="no home folder") as caught:
        state_home({"XDG_STATE_HOME": named})
    assert "XDG_STATE_HOME" in caught.value.hint


def test_a_projects_folder_is_called_after_it_in_plain_letters_and_never_too_long(tmp_path):
    for name, shown in (
        ("shop", "shop-"),
        ("my shop (1)", "my-shop-1-"),
        ("..a..", "a-"),
        ("ü", "project-"),
        ("x" * 200, f"{'x' * 40}-"),
    ):
        key = state_path(tmp_path / name).name
        assert key.startswith(shown)
        assert len(key) == len(shown) + 16


def test_no_descriptor_is_left_open_by_what_is_refused(tmp_path):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    plant(tmp_path, ("secrets",), tmp_path)
    before = len([*Path("/dev/fd").iterdir()])
    for _ in range(5):
        for refused in (
            lambda: open_private(tmp_path / "folder", os.O_RDONLY),
            lambda: open_private(tmp_path / "pipe", os.O_RDONLY),
            lambda: private_folder(tmp_path, "secrets"),
        ):
            with pytest.raises(EnvctlError):
                refused()
    private_folder(tmp_path, "locks")
    existing_folder(tmp_path, "none")
    assert len([*Path("/dev/fd").iterdir()]) == before


def test_private_state_is_known_by_any_name_and_from_above(tmp_path, monkeypatch):
    home, root = tmp_path / "home", tmp_path / "shop"
    root.mkdir()
    monkeypatch.setenv("XDG_STATE_HOME", str(home))
    folder = private_folder(root, "secrets")
    (root / ".envctl").mkdir()
    (tmp_path / "link").symlink_to(folder)

    for private in (
        home / "envctl",
        folder,
        tmp_path / "link",
        folder / "none",
        root / ".envctl/x",
    ):
        assert is_private(private, root)
    for public in (home, root, tmp_path, root / "app", tmp_path / "none"):
        assert not is_private(public, root)
    assert sorted(hidden_below(tmp_path, root)) == ["home/envctl", "shop/.envctl"]
    assert list(hidden_below(root, root)) == [".envctl"]
    assert list(hidden_below(home, root)) == ["envctl"]
    assert list(hidden_below(folder, root)) == []
    ids = {(one.stat().st_dev, one.stat().st_ino) for one in (home / "envctl", root / ".envctl")}
    assert private_ids(root) == ids


def test_a_former_folder_that_is_a_link_hides_nothing_below_it(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / ".envctl").symlink_to(tmp_path / "elsewhere")
    assert list(hidden_below(tmp_path, tmp_path / "shop")) == []
    assert is_private(tmp_path / "elsewhere" / "x", tmp_path / "shop")


def test_state_that_is_taken_over_joins_what_is_there_and_caches_go(tmp_path):
    former = old_state(tmp_path)
    for name in ("locks", "memory"):
        (former / name).mkdir()
    for name in ("crash.log", ".gitignore"):
        (former / name).write_text("x")
    private_folder(tmp_path, "secrets", "prod")

    assert take_over_state(tmp_path) == former
    assert not former.exists()
    kept = {path.name for path in state_path(tmp_path, "secrets").iterdir()}
    assert kept == {".key", "dev", "prod"}


def test_nothing_is_refused_once_the_user_has_private_state_of_that_environment(tmp_path):
    (tmp_path / ".envctl" / "secrets" / "dev").mkdir(parents=True)
    private_folder(tmp_path, "secrets", "dev")
    refuse_foreign_state(tmp_path, "dev")
