"""Reading a project's own files: nothing outside of it, nothing that never ends, nothing that waits."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from envctl.host.safe_read import InsideError, read_inside, real_path


@pytest.fixture
def root(tmp_path):
    (tmp_path / "project" / "app").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "key").write_text("PRIVATE")
    (tmp_path / "project" / "app" / "file").write_text("own")
    return tmp_path / "project"


def test_a_regular_file_of_the_project_is_read(root):
    assert read_inside(root, "app/file") == b"own"


def test_a_link_within_the_project_is_followed(root):
    (root / "link").symlink_to("app/file")
    (root / "folder").symlink_to("app")
    assert read_inside(root, "link") == read_inside(root, "folder/file") == b"own"


def test_a_project_that_is_itself_behind_a_link_is_read(root):
    (root.parent / "alias").symlink_to("project")
    assert read_inside(root.parent / "alias", "app/file") == b"own"


@pytest.mark.parametrize("to", ["../outside/key", "/etc/passwd", "../outside/none", "/dev/zero"])
def test_a_link_that_leads_outside_is_refused_with_its_name_and_where_it_leads(root, to):
    (root / "link").symlink_to(to)
    with pytest.raises(InsideError) as caught:
        read_inside(root, "link")
    leads = os.path.normpath(root / to)
    assert caught.value.brief == (f"link leads outside the project: it is a link to {leads}")
    assert "PRIVATE" not in str(caught.value)
    assert caught.value.hint


def test_a_file_below_a_linked_folder_is_refused(root):
    (root / "config").symlink_to(root.parent / "outside")
    with pytest.raises(InsideError, match=r"config/key leads outside .*: config is a link to"):
        read_inside(root, "config/key")


@pytest.mark.parametrize("path", ["../outside/key", "/etc/passwd"])
def test_a_path_that_leads_outside_without_a_link_is_refused(root, path):
    with pytest.raises(InsideError, match="leads outside the project"):
        read_inside(root, path)


def test_a_chain_of_links_that_ends_outside_is_refused(root):
    (root / "two").symlink_to("one")
    (root / "one").symlink_to("../outside/key")
    with pytest.raises(InsideError, match="leads outside"):
        read_inside(root, "two")


def test_links_in_a_circle_are_reported(root):
    (root / "one").symlink_to("two")
    (root / "two").symlink_to("one")
    with pytest.raises(InsideError, match=r"circular|Too many"):
        read_inside(root, "one")


@pytest.mark.timeout(20)
def test_what_is_no_regular_file_is_refused_without_waiting(root):
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(root / "s"))
        for name, kind in (("pipe", "a pipe"), ("s", "a socket"), ("app", "a folder")):
            with pytest.raises(InsideError, match=f"{name} is {kind}"):
                read_inside(root, name)


@pytest.mark.timeout(20)
def test_a_device_is_refused_without_reading_it():
    with pytest.raises(InsideError, match="zero is a device"):
        read_inside(Path("/dev"), "zero")


def test_a_file_that_is_too_large_is_refused(root):
    (root / "large").write_bytes(b"x" * 2049)
    assert len(read_inside(root, "large", largest=2049)) == 2049
    with pytest.raises(InsideError, match="large is larger than 2 KiB"):
        read_inside(root, "large", largest=2048)


def test_a_sparse_file_of_a_terabyte_costs_nothing(root):
    with (root / "sparse").open("wb") as file:
        os.truncate(file.fileno(), 1 << 40)
    with pytest.raises(InsideError, match="larger than"):
        read_inside(root, "sparse")


def test_a_missing_file_is_missing(root):
    for path in ("none", "none/none", "app/file/none"):
        with pytest.raises(FileNotFoundError):
            read_inside(root, path)
    (root / "dangling").symlink_to("nowhere")
    with pytest.raises(FileNotFoundError):
        real_path(root, "dangling")
