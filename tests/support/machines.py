"""What is on this host of a project's machines, as libvirt and the file system know it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from envctl.backends.vagrant import libvirt
from envctl.backends.vagrant.box import base_boxes, box_files
from envctl.backends.vagrant.box.box_files import NOTE
from envctl.backends.vagrant.names import vagrant_home
from envctl.host.private_state import state_path
from envctl.plan.model import Base
from tests.support.project import Project


def virsh(*argv: str) -> str:
    """The output of a virsh command."""
    return subprocess.run(
        ["virsh", "-q", "-c", "qemu:///system", *argv], capture_output=True, text=True, check=True
    ).stdout


def left_of(project: Project) -> dict[str, list[str]]:
    """Whatever is the checkout's: domains, disks, networks, files of its own, processes."""
    key = key_of(project)
    folder = state_path(project.root)
    # Where only containers are made, libvirt need not be installed.
    found = _in_libvirt() if project.backend == "vagrant" else {}
    return {
        **NOTHING,
        **{kind: [name for name in names if key in name] for kind, names in found.items()},
        "files": [
            str(path.relative_to(folder))
            for part in ("vagrant", "secrets")
            for path in (folder / part).rglob("*")
        ],
        "processes": [line for _, line in _command_lines() if key in line or str(folder) in line],
    }


def _in_libvirt() -> dict[str, list[str]]:
    return {
        "domains": virsh("list", "--all", "--name").split(),
        "disks": [
            line.split()[0] for line in virsh("vol-list", "default").splitlines() if line.split()
        ],
        "networks": virsh("net-list", "--all", "--name").split(),
    }


def end_connections(project: Project) -> None:
    """End the shared SSH connections to a checkout's machines, as a network that was away does."""
    key = str(state_path(project.root, "vagrant"))
    ended = [pid for pid, line in _command_lines() if line.startswith("ssh ") and key in line]
    assert ended
    for pid in ended:
        os.kill(pid, signal.SIGTERM)


def key_of(project: Project) -> str:
    """What the names of all of a checkout's resources have in them."""
    return f"-{project.workspace().plan(project.target).scope.project_id}-"


NOTHING: dict[str, list[str]] = {
    "domains": [],
    "disks": [],
    "networks": [],
    "files": [],
    "processes": [],
}


def _command_lines() -> Iterator[tuple[int, str]]:
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            with suppress(OSError):
                words = (path / "cmdline").read_bytes().replace(b"\0", b" ")
                yield int(path.name), words.decode("utf-8", "replace")


def boot_id(project: Project, target: str, unit: str) -> str:
    """What tells one boot of a unit's machine from another."""
    done = project.cli("exec", target, unit, "--", "cat", "/proc/sys/kernel/random/boot_id")
    assert done.returncode == 0, done.stderr
    return done.stdout


def remove_boxes(project: Project, *images: str) -> None:
    """Remove the boxes that have the project's name in a step, or are of these images, and so are nobody else's."""
    for box, folder in box_files.find("envctl-*"):
        if any(mark in (folder / NOTE).read_text("utf-8") for mark in (project.name, *images)):
            _remove_box(vagrant_home() / "boxes" / box)


def remove_base_box(image: str) -> None:
    """Remove the box of a base that is a test's own image, if one was made."""
    folder = base_boxes.box_name(Base("", image)).replace("/", "-VAGRANTSLASH-")
    if (box := vagrant_home() / "boxes" / folder).exists():
        _remove_box(box)


def _remove_box(box: Path) -> None:
    libvirt.remove_disks([disk for disk in libvirt.disks() if disk.startswith(f"{box.name}_")])
    shutil.rmtree(box)


def disks_of(project: Project) -> Iterator[Path]:
    """The files of the project's disks, and of the boxes its machines are made from."""
    plan = project.workspace().plan(project.target)
    digests = tuple(plan.builds())
    for line in virsh("vol-list", "default").splitlines():
        name, path = line.split()
        if key_of(project) in name or any(digest in name for digest in digests):
            yield Path(path)
    for digest in digests:
        for _, folder in box_files.find(f"envctl-{digest}-*"):
            yield from folder.iterdir()
