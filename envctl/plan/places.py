"""The places of a unit's file system that are not compared, each with the reason: all others are, whatever is there.

The one table of it: facts are collected by it, machines list what came with them by it, docs/how-to/parity.md is
generated from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Place:
    """A place that facts leave out: a pattern as `find -path` has it, and why."""

    pattern: str
    reason: str


VOLATILE: Final[Sequence[Place]] = (
    Place("/proc/*", "the kernel's view of itself; the settings that a unit can have are compared as sysctls"),
    Place("/sys/*", "the kernel's view of itself; limits are compared by themselves"),
    Place("/dev/*", "devices, which the engine or the kernel makes"),
    Place("/run/*", "of this very run: sockets, pid files; secrets in it are compared by themselves"),
    Place("/tmp/*", "temporary files"),  # noqa: S108 - looked at nowhere
    Place("/var/tmp/*", "temporary files"),  # noqa: S108 - looked at nowhere
    Place("/var/cache/*", "caches, which are made again when they are missing"),
    Place("*/.cache/*", "caches in home folders"),
    Place("/var/lib/apt/lists/*", "what the mirror offers at the moment; installed packages are compared"),
    Place("/var/log/*", "logs"),
    Place("/var/lib/dpkg/*-old", "dpkg's copies of how its records were before"),
    Place("*/__pycache__", "Python's compiled copies of .py files, which are compared themselves"),
    Place("/etc/hosts", "written for each run; what names mean is compared by itself"),
    Place("/etc/hostname", "written for each run"),
    Place("/etc/resolv.conf", "written for each run; what names mean is compared by itself"),
    Place("/etc/mtab", "a link that the engine makes"),
    Place("/etc/machine-id", "generated for each machine"),
    Place("/.dockerenv", "the engine's mark in each container"),
    Place("/usr/sbin/docker-init", "the init process that the engine brings to each container"),
    Place("/sbin/docker-init", "the init process that the engine brings to each container"),
    Place("/lost+found", "of the file system of each disk"),
    Place("/etc/envctl", "where a machine has the script that starts its unit, which is compared as the process, and how that ended"),
    Place("/etc/systemd/system/envctl-*", "where a machine has the service of its unit, which is compared as the process"),
    Place("/usr/lib/envctl", "where a machine has the lists of what came with it"),
)  # fmt: skip
PATTERNS: Final = tuple(place.pattern for place in VOLATILE)


def literally(path: str) -> str:
    """A path as a pattern that only it matches."""
    return "".join(f"\\{char}" if char in "\\*?[]" else char for char in path)
