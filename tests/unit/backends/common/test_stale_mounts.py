"""Mounts that no longer are what the host has."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace

import pytest

from envctl.backends.common import stale_mounts
from envctl.backends.common.stale_mounts import FileStat
from envctl.plan.model import Mount


def look(*paths, path=os.environ["PATH"]):
    """What a process inside prints of these paths."""
    done = subprocess.run(
        ["/bin/sh", "-c", stale_mounts.SCRIPT, "sh", *map(str, paths)],
        capture_output=True, text=True, check=True, env={"PATH": path},
    )  # fmt: skip
    return stale_mounts.parse([str(one) for one in paths], done.stdout)


@pytest.fixture
def conf(tmp_path):
    file = tmp_path / "app conf"
    file.write_text("one\n")
    return file


def drift(source, inside, **options):
    return [one.text for one in stale_mounts.drift([Mount(str(source), "/etc/app.conf")], {"/etc/app.conf": inside}, **options)]  # fmt: skip


def seen(path):
    return look(path)[str(path)]


def test_what_is_the_same_file_is_no_drift_however_often_it_is_written(conf):
    before = seen(conf)
    conf.write_text("two, in place\n")
    os.utime(conf, (1, 1))

    assert drift(conf, before) == []


def test_a_file_that_another_took_the_place_of_is_reported(conf):
    before = seen(conf)
    fresh = conf.with_name("new")
    fresh.write_text("one\n")
    fresh.rename(conf)

    (text,) = drift(conf, before)
    assert text.endswith("was replaced on this host, and /etc/app.conf inside is still the old one")


def test_a_file_that_has_no_name_left_is_reported_whatever_device_it_is_on(conf):
    assert drift(conf, FileStat(0, None, None, None, None))
    assert drift(conf, replace(seen(conf), links=0, device=0))


def test_a_folder_that_was_made_again_is_reported(tmp_path):
    folder = tmp_path / "dist"
    folder.mkdir()
    before = seen(folder)
    folder.rename(tmp_path / "old")
    folder.mkdir()

    assert drift(folder, before)
    assert drift(folder, replace(before, device=0), same_inodes=True)
    assert drift(folder, replace(before, device=0)) == []
    # The root of what is passed on to a machine may have no number of its own.
    assert drift(folder, replace(before, device=0, inode=1), same_inodes=True) == []


def test_where_the_engine_numbers_files_itself_size_and_time_count(conf):
    there = replace(seen(conf), device=0, inode=1)
    assert drift(conf, there) == []
    conf.write_text("longer than before\n")
    assert drift(conf, there)


def test_an_image_without_stat_tells_by_ls(conf, tmp_path):
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "ls").symlink_to("/bin/ls")
    found = look(conf, path=str(programs))[str(conf)]

    assert (found.links, found.inode) == (1, conf.stat().st_ino)


def test_what_nothing_can_be_told_of_is_said_to_be_unchecked(conf, tmp_path):
    mounts = [Mount(str(conf), "/etc/app.conf"), Mount(str(tmp_path), "/srv")]
    inside = {"/srv": seen(tmp_path)}

    assert list(stale_mounts.drift(mounts, inside)) == []
    (text,) = stale_mounts.unchecked(mounts, inside)
    assert text.startswith("whether /etc/app.conf is still what this host has at ")
    nothing = look(conf, path=str(tmp_path))
    assert nothing[str(conf)].is_unknown


def test_garbage_tells_nothing():
    assert stale_mounts.parse(["/a", "/b"], "no such\n") == {"/a": FileStat()}


def test_what_tells_a_name_or_a_number_tells_something():
    assert FileStat().is_unknown
    assert FileStat(size=5, changed=5).is_unknown
    assert not FileStat(links=1).is_unknown
    assert not FileStat(inode=5).is_unknown


def test_size_and_time_count_only_where_both_are_reported_and_for_files_only(conf, tmp_path):
    here = conf.stat()
    there = FileStat(1, 0, 1, here.st_size, int(here.st_mtime))
    assert drift(conf, there) == []
    assert drift(conf, replace(there, size=here.st_size + 1))
    assert drift(conf, replace(there, changed=1))
    assert drift(conf, replace(there, size=None, changed=1)) == []
    assert drift(conf, replace(there, size=1, changed=None)) == []
    assert drift(tmp_path, replace(there, size=1, changed=1)) == []


def test_numbers_count_on_the_hosts_own_device_or_where_they_are_said_to_be_the_same(conf):
    here = conf.stat()
    other = FileStat(1, here.st_dev, here.st_ino + 1, here.st_size, int(here.st_mtime))
    assert drift(conf, other)
    assert drift(conf, replace(other, device=0)) == []
    assert drift(conf, replace(other, device=0), same_inodes=True)
    assert drift(conf, replace(other, inode=None), same_inodes=True) == []


def test_what_is_gone_on_the_host_is_told_elsewhere(tmp_path):
    assert drift(tmp_path / "none", FileStat(1, 0, 5, 1, 1)) == []
    assert drift(tmp_path / "none", FileStat(0))


def test_a_replaced_mount_is_reported_by_the_place_it_has_in_the_spec(conf):
    mounts = [Mount("/none", "/x"), Mount(str(conf), "/etc/app.conf")]
    (one,) = stale_mounts.drift(mounts, {"/etc/app.conf": FileStat(0)})
    assert one.path == ("mounts", "1")
    assert one.in_place is False
