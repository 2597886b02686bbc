"""The private folder: made for one user, closed to others, never reached through a link."""

from __future__ import annotations

import os
import stat

import pytest

from envctl.errors import EnvctlError
from envctl.private import existing_folder, open_private, private_folder

WRITE = os.O_RDWR | os.O_CREAT


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_the_folder_is_made_for_its_owner_alone_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        folder = private_folder(tmp_path, "secrets", "dev")
    finally:
        os.umask(before)

    assert folder == tmp_path / ".envctl/secrets/dev"
    assert {mode(one) for one in (folder, folder.parent, folder.parent.parent)} == {0o700}


def test_a_folder_that_is_open_to_others_is_closed(tmp_path):
    (tmp_path / ".envctl/locks").mkdir(parents=True)
    (tmp_path / ".envctl").chmod(0o777)
    (tmp_path / ".envctl/locks").chmod(0o755)

    assert existing_folder(tmp_path, "locks") == tmp_path / ".envctl/locks"
    assert (mode(tmp_path / ".envctl"), mode(tmp_path / ".envctl/locks")) == (0o700, 0o700)


def test_looking_for_a_folder_makes_none(tmp_path):
    assert existing_folder(tmp_path, "locks") is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("link", [".envctl", ".envctl/secrets", ".envctl/secrets/dev"])
@pytest.mark.parametrize("find", [private_folder, existing_folder])
@pytest.mark.parametrize("there", [True, False])
def test_a_link_on_the_way_is_refused_and_not_followed(tmp_path, link, find, there):
    victim = tmp_path / "victim"
    if there:
        (victim / "secrets" / "dev").mkdir(parents=True)
    (tmp_path / link).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / link).symlink_to(victim)

    with pytest.raises(EnvctlError, match=f"{link} is a link") as caught:
        find(tmp_path, "secrets", "dev")

    assert "rm " in caught.value.hint
    assert victim.exists() is there


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path):
    (tmp_path / ".envctl").write_text("x")
    with pytest.raises(EnvctlError, match=r"\.envctl is not a folder") as caught:
        private_folder(tmp_path)
    assert caught.value.hint


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_folder_of_another_user_is_refused(tmp_path):
    (tmp_path / ".envctl").mkdir()
    os.chown(tmp_path / ".envctl", 12345, -1)
    with pytest.raises(EnvctlError, match="belongs to another user"):
        private_folder(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_root_may_work_in_the_project_of_another_user(tmp_path):
    (tmp_path / ".envctl").mkdir()
    for one in (tmp_path, tmp_path / ".envctl"):
        os.chown(one, 12345, -1)
    assert private_folder(tmp_path) == tmp_path / ".envctl"


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
