"""Disks made from what a machine or an image wrote: no word of theirs leads to a file of this host."""

from __future__ import annotations

import io
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from envctl.backends.base import Context
from envctl.backends.docker import DockerBackend
from envctl.backends.vagrant.box import root_disk
from envctl.plan.scope import Scope

pytestmark = [pytest.mark.engine, pytest.mark.machines]


def qemu_img(*argv: str) -> str:
    return subprocess.run(["qemu-img", *argv], capture_output=True, text=True, check=True).stdout


def test_a_disk_that_calls_itself_another_format_is_taken_as_it_is(machines, tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(b"of this host" * 4096)
    evil = tmp_path / "evil.qcow2"
    qemu_img("create", "-q", "-f", "qcow2", "-b", str(secret), "-F", "raw", str(evil), "16M")
    raw = tmp_path / "raw"
    with raw.open("wb") as file:
        file.truncate(16 << 20)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", str(raw)], check=True)
    with raw.open("r+b") as file:
        file.write(evil.read_bytes()[:1024])
    machine = tmp_path / "machine.qcow2"
    qemu_img("convert", "-f", "raw", "-O", "qcow2", str(raw), str(machine))
    made = tmp_path / "made"
    made.mkdir()

    root_disk.from_machine(machine, made)

    out = tmp_path / "out"
    qemu_img("convert", "-f", "qcow2", "-O", "raw", str(made / root_disk.FILE), str(out))
    assert b"of this host" not in out.read_bytes()


def test_a_link_in_an_image_leads_nowhere_outside(machines, tmp_path):
    root, target = tmp_path / "root", tmp_path / "target"
    root.mkdir()
    target.mkdir(mode=0o700)
    (target / "kept").write_text("kept")
    (root / "dev").symlink_to(target)
    made = tmp_path / "made"
    made.mkdir()

    root_disk.from_root(root, made)

    assert (target / "kept").read_text() == "kept"
    assert target.stat().st_mode & 0o777 == 0o700


ODD = """\
FROM debian:bookworm
RUN mkdir /in /.x '/a b' /data && printf 'of\\nthe image' > '/a b/c"d' && ln '/a b/c"d' /.x/link && \
    ln -s /etc/passwd /.x/away && mkfifo /.x/pipe && chown 33:34 /in && chmod 1751 /in && echo kept > /data/kept && \
    chown -R 12345:12346 /data && chmod 4755 /bin/cat && mknod /.x/zero c 1 5 && chmod 0 /.x/zero
VOLUME /data
"""


EVIL = r"""
FROM debian:bookworm
RUN printf '%s\n' '#!/bin/sh' 'cd /.envctl; touch -- --checkpoint=1 --checkpoint-action=exec=true' \
    'echo {} >metadata.json; ln -s /etc/passwd box.img; exec /usr/bin/tar "$@"' >/usr/local/bin/tar && \
    chmod 755 /usr/local/bin/tar
"""


@pytest.fixture
def build(engine) -> Iterator[Callable[[str], str]]:
    names = []

    def build_it(dockerfile: str) -> str:
        names.append(f"envctl/t-disk:{uuid.uuid4().hex[:8]}")
        engine.images.build(fileobj=io.BytesIO(dockerfile.encode()), tag=names[-1], rm=True)
        return names[-1]

    yield build_it
    for name in names:
        engine.api.remove_image(name, force=True)


def make(image: str, folder: Path) -> None:
    backend = DockerBackend(Context(Scope("t", "0", "dev", str(folder))))
    root_disk.from_image(backend, image, folder)
    backend.close()


def test_what_an_image_leaves_beside_its_disk_stays_away(machines, build, tmp_path):
    image = build(EVIL)
    seen = docker_run(image, "tar --version >/dev/null; ls -A /.envctl")
    assert "--checkpoint-action=exec=true" in seen.splitlines()

    make(image, tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == [root_disk.FILE]
    assert not (tmp_path / root_disk.FILE).is_symlink()


def test_the_disk_of_an_image_has_what_the_image_has(machines, build, tmp_path):
    make(build(ODD), tmp_path)

    raw = tmp_path / "out"
    qemu_img("convert", "-f", "qcow2", "-O", "raw", str(tmp_path / root_disk.FILE), str(raw))
    assert told(
        raw, "/in", "/.x/away", "/.x/pipe", "/.x/zero", "/data/kept", "/bin/cat", "/proc"
    ) == [
        ("directory", "01751", "33", "34", "2"),
        ("symlink", "0777", "0", "0", "1"),
        ("FIFO", "0644", "0", "0", "1"),
        ("character", "0000", "0", "0", "1"),
        ("regular", "0644", "12345", "12346", "1"),
        ("regular", "04755", "0", "0", "1"),
        ("directory", "0555", "0", "0", "2"),
    ]
    assert told(raw, "/.x/link", '/a b/c"d')[0][4] == "2"
    assert debugfs(raw, "cat /.x/link") == "of\nthe image"
    assert "envctl" not in debugfs(raw, "ls -p /")
    for empty in ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf"):
        assert debugfs(raw, f"cat {empty}") == ""


def docker_run(image: str, script: str) -> str:
    argv = [
        "docker",
        "run",
        "--rm",
        "--network=none",
        image,
        "sh",
        "-c",
        f"mkdir /.envctl; {script}",
    ]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def told(raw: Path, *paths: str) -> list[Any]:
    """Of each file on a disk: type, mode, user, group and number of links."""
    found = []
    for path in paths:
        quoted = path.replace('"', '""')
        words = debugfs(raw, f'stat "{quoted}"').split()
        fields = [words[words.index(name) + 1] for name in ("Type:", "Mode:", "User:", "Group:", "Links:")]  # fmt: skip
        found.append((*fields,))
    return found


def debugfs(raw: Path, request: str) -> str:
    done = subprocess.run(
        ["debugfs", "-R", request, str(raw)], capture_output=True, text=True, check=True
    )
    return done.stdout
