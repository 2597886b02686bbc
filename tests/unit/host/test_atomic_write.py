"""Files written at one stroke: the former one or the new one, and nothing else beside it."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import pytest

from envctl.errors import EnvctlError
from envctl.host.atomic_write import write_whole


def test_a_file_is_written_with_the_permissions_of_any_new_one_and_replaced_whole(tmp_path):
    page, plain = tmp_path / "page", tmp_path / "plain"
    plain.write_text("")
    write_whole(page, "one")
    write_whole(page, "two \udc80")

    assert page.read_text() == "two \\udc80"
    assert page.stat().st_mode == plain.stat().st_mode
    assert sorted(tmp_path.iterdir()) == [page, plain]


def test_a_file_is_written_where_a_link_leads(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "link").symlink_to("kept/page")

    write_whole(tmp_path / "link", "text")

    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "kept" / "page").read_text() == "text"


def test_a_write_that_fails_names_the_file_and_leaves_the_former_one(tmp_path, monkeypatch):
    page = tmp_path / "page"
    page.write_text("former")

    def full(*_args, **_options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        with pytest.raises(EnvctlError, match=f"{page} cannot be written: No space left"):
            write_whole(page, "next")

    assert page.read_text() == "former"
    assert list(tmp_path.iterdir()) == [page]


@pytest.mark.parametrize("name", ["folder", "pipe", "nowhere/page", "loop", "x" * 300])
def test_what_is_no_file_is_not_written_and_named(tmp_path, name):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")

    with pytest.raises(EnvctlError, match=re.escape(str(tmp_path / name))):
        write_whole(tmp_path / name, "text")

    assert (tmp_path / "pipe").is_fifo()
