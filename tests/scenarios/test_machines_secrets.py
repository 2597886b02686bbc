"""A secret's value is looked for everywhere it must not be: on this host and inside the machine."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenarios.test_canary import CANARY, found_in_files, watched_command_lines
from tests.support.machines import disks_of

pytestmark = [pytest.mark.engine, pytest.mark.machines, pytest.mark.slow]

PIECE = 1 << 20
INSIDE = (
    'grep -rlsa -e "$1" / --exclude-dir=proc --exclude-dir=sys;'
    ' for line in /proc/[0-9]*/cmdline; do grep -qsa -e "$1" $line && echo $line; done; true'
)


def test_the_search_finds_what_is_there(machines, tmp_path):
    disk = tmp_path / "disk"
    with disk.open("wb") as file:
        file.seek(50 * PIECE - 7)
        file.write(CANARY.encode())
        file.truncate(200 * PIECE)
    assert holds(disk, tmp_path)
    packed = tmp_path / "packed"
    convert = ["qemu-img", "convert", "-c", "-O", "qcow2", str(disk), str(packed)]
    subprocess.run(convert, check=True)
    assert CANARY.encode() not in packed.read_bytes()
    assert holds(packed, tmp_path)


def test_a_secret_is_nowhere_but_in_its_units_memory(machines, make_project, tmp_path):
    project = make_project(backend="vagrant")
    project.environ = {**project.environ, "TOKEN": CANARY}
    project.spec(
        "web: {command: [sleep, infinity], user: root, secrets: [token]}",
        top="secrets: {token: {env: TOKEN}}\n",
    )
    said = []
    with watched_command_lines() as seen:
        for argv in (["up", "dev"], ["status", "dev"], ["logs", "dev"], ["config", "dev"]):
            done = project.cli(*argv)
            assert done.returncode == 0, done.stderr
            said += [done.stdout, done.stderr]
        assert project.run("web", "cat", "/run/secrets/token")[1] == CANARY
    assert not [text for text in said if CANARY in text]
    assert not [line for line in seen if CANARY.encode() in line]

    # Half of it, so that the search does not find itself.
    code, out, err = project.run(
        "web", "sh", "-c", INSIDE, "search", f"{CANARY[:-1]}[{CANARY[-1]}]"
    )
    assert code == 0, err
    assert set(out.split()) == {"/run/secrets/token"}

    project.workspace().stop(project.target)
    assert found_in_files(project.root) == []
    disks = list(disks_of(project))
    assert len(disks) > 3
    for disk in disks:
        assert not holds(disk, tmp_path), disk


def holds(disk: Path, folder: Path) -> bool:
    """Whether the canary stands in a file, as it lies there and, of a disk, as a machine sees it."""
    raw = folder / "raw"
    files = [disk]
    with disk.open("rb") as start:
        if start.read(4) == b"QFI\xfb":
            subprocess.run(["qemu-img", "convert", "-O", "raw", str(disk), str(raw)], check=True)
            files.append(raw)
    try:
        return any(CANARY.encode() in part for file in files for part in written(file))
    finally:
        raw.unlink(missing_ok=True)


def written(file: Path) -> Iterator[bytes]:
    """What a file holds, holes left out, in pieces that overlap."""
    with file.open("rb") as stream:
        end = 0
        while True:
            try:
                start = os.lseek(stream.fileno(), end, os.SEEK_DATA)
            except OSError:
                return
            end = os.lseek(stream.fileno(), start, os.SEEK_HOLE)
            for place in range(start, end, PIECE):
                stream.seek(place)
                yield stream.read(min(PIECE + len(CANARY), end - place))
