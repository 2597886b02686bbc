"""Files replaced in one step: a reader finds the old one or the new one, and nothing is left beside it."""

from __future__ import annotations

import errno
import os
import re
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from envctl.errors import EnvctlError
from envctl.host import atomic_write
from envctl.host.atomic_write import (
    create_file,
    replace_file,
    replacement,
    replacement_file,
    write_user_file,
)

KILLED = """
import os, signal, sys
from pathlib import Path
from envctl.host.atomic_write import replacement_file
with replacement_file(Path(sys.argv[1])) as file:
    file.write(b"half of")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_file_keeps_its_permissions_unless_others_are_asked_for(tmp_path):
    script, plain = tmp_path / "script", tmp_path / "plain"
    plain.write_text("")
    replace_file(script, b"one")
    assert mode(script) == mode(plain)

    script.chmod(0o751)
    replace_file(script, b"two")
    assert (script.read_bytes(), mode(script)) == (b"two", 0o751)

    replace_file(script, b"three", mode=0o600)
    assert (script.read_bytes(), mode(script)) == (b"three", 0o600)
    assert names(tmp_path) == {"script", "plain"}


def test_permissions_that_are_asked_for_do_not_depend_on_the_umask(tmp_path):
    before = os.umask(0o077)
    try:
        replace_file(tmp_path / "shared", b"", mode=0o4664)
    finally:
        os.umask(before)

    assert mode(tmp_path / "shared") == 0o4664


def test_a_link_is_replaced_and_what_it_leads_to_is_left_alone(tmp_path):
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "key").symlink_to("victim")

    replace_file(tmp_path / "key", b"new", mode=0o600)

    assert (tmp_path / "victim").read_text() == "precious"
    assert not (tmp_path / "key").is_symlink()
    assert (tmp_path / "key").read_bytes() == b"new"


def test_a_link_with_the_name_of_the_unfinished_file_is_not_written_through(tmp_path, monkeypatch):
    (tmp_path / "victim").write_text("precious")
    (tmp_path / ".envctl-fixed.new").symlink_to("victim")
    monkeypatch.setattr(atomic_write, "_unused_path", lambda _: str(tmp_path / ".envctl-fixed.new"))

    with pytest.raises(FileExistsError):
        replace_file(tmp_path / "key", b"new")

    assert (tmp_path / "victim").read_text() == "precious"
    assert not (tmp_path / "key").exists()


def test_the_unfinished_file_is_in_the_same_folder_and_nobody_else_can_read_a_private_one(tmp_path):
    with replacement_file(tmp_path / "key", mode=0o600) as file:
        file.write(b"secret")
        file.flush()
        (unfinished,) = tmp_path.iterdir()
        assert mode(unfinished) == 0o600

    assert names(tmp_path) == {"key"}


def test_an_error_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    page = tmp_path / "page"
    page.write_text("old")

    def fail_halfway() -> None:
        with replacement_file(page) as file:
            file.write(b"half of")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        fail_halfway()

    assert page.read_text() == "old"
    assert names(tmp_path) == {"page"}


def test_a_folder_in_the_place_of_a_file_is_not_replaced(tmp_path):
    (tmp_path / "taken").mkdir()

    with pytest.raises(OSError, match="directory"):
        replace_file(tmp_path / "taken", b"x")

    assert names(tmp_path) == {"taken"}


def test_a_process_killed_while_it_writes_leaves_the_old_file_and_the_next_write_cleans_up(
    tmp_path,
):
    page = tmp_path / "page"
    page.write_text("old")
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(page)], cwd=Path(__file__).parents[3], check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert page.read_text() == "old"
    (leftover,) = names(tmp_path) - {"page"}

    # It may belong to a process that is still writing.
    replace_file(page, b"new")
    assert names(tmp_path) == {"page", leftover}

    past = time.time() - atomic_write.LEFTOVER_AGE - 1
    os.utime(tmp_path / leftover, (past, past))
    replace_file(page, b"newer")
    assert names(tmp_path) == {"page"}


def test_only_files_of_ours_are_cleaned_up(tmp_path):
    others = {".envctl-render", "page.new", ".envctl-folder.new"}
    (tmp_path / ".envctl-folder.new").mkdir()
    past = time.time() - 2 * atomic_write.LEFTOVER_AGE
    for name in others:
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (past, past))

    replace_file(tmp_path / "page", b"")

    assert names(tmp_path) == {*others, "page"}


@pytest.mark.parametrize(("durable", "synced"), [(True, ["file", "folder"]), (False, [])])
def test_content_is_on_disk_before_the_name_and_the_name_before_the_write_ends(
    tmp_path, monkeypatch, durable, synced
):
    calls, fsync, rename = [], os.fsync, os.replace

    def recorded_fsync(descriptor):
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        if not is_folder:
            assert os.fstat(descriptor).st_size == len(b"content")
        calls.append("folder" if is_folder else "file")
        fsync(descriptor)

    def recorded_replace(*args, **options):
        calls.append("rename")
        rename(*args, **options)

    monkeypatch.setattr(os, "fsync", recorded_fsync)
    monkeypatch.setattr(os, "replace", recorded_replace)
    replace_file(tmp_path / "page", b"content", durable=durable)

    assert calls == [*synced[:1], "rename", *synced[1:]]


def test_a_file_is_replaced_relative_to_an_open_folder(tmp_path):
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        with replacement_file("page", folder=folder, mode=0o640) as file:
            file.write(b"text")
        with replacement("link", folder=folder) as fresh:
            os.symlink("page", fresh, dir_fd=folder)
    finally:
        os.close(folder)

    assert (tmp_path / "link").read_text() == "text"
    assert names(tmp_path) == {"page", "link"}


def test_of_many_writers_of_a_new_file_one_succeeds(tmp_path):
    start, winners = threading.Barrier(8), []

    def write(number: int) -> None:
        start.wait()
        if create_file(tmp_path / "key", str(number).encode() * 1000, mode=0o600):
            winners.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    (winner,) = winners
    assert (tmp_path / "key").read_text() == str(winner) * 1000
    assert mode(tmp_path / "key") == 0o600
    assert names(tmp_path) == {"key"}


@pytest.mark.parametrize("exists", [True, False])
def test_a_new_file_is_written_on_a_disk_without_hard_links_too(tmp_path, monkeypatch, exists):
    def refused(*_args, **_options):
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refused)
    if exists:
        (tmp_path / "key").write_text("old")

    assert create_file(tmp_path / "key", b"new", mode=0o600) is not exists
    assert (tmp_path / "key").read_text() == ("old" if exists else "new")
    assert names(tmp_path) == {"key"}


def test_text_that_is_no_unicode_is_written_with_escapes(tmp_path):
    write_user_file(tmp_path / "page", "two \udc80")

    assert (tmp_path / "page").read_text() == "two \\udc80"


def test_a_file_is_written_where_a_link_leads(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder/page")

    write_user_file(tmp_path / "link", "text")

    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "folder" / "page").read_text() == "text"


def test_a_write_that_fails_names_the_file_and_leaves_the_former_one(tmp_path, monkeypatch):
    page = tmp_path / "page"
    page.write_text("former")

    def full(*_args, **_options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(EnvctlError, match=f"{page} cannot be written: No space left"):
            write_user_file(page, "next")

    assert page.read_text() == "former"
    assert list(tmp_path.iterdir()) == [page]


@pytest.mark.parametrize("name", ["folder", "pipe", "nowhere/page", "loop", "x" * 300])
def test_what_is_no_file_is_not_written_and_named(tmp_path, name):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")

    with pytest.raises(EnvctlError, match=re.escape(str(tmp_path / name))):
        write_user_file(tmp_path / name, "text")

    assert (tmp_path / "pipe").is_fifo()
