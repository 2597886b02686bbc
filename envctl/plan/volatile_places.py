"""The places of a unit's file system that are not compared, each with the reason. All other places are.

This is the only such table. The collection of facts and the machines' lists of their own files use it, and
docs/how-to/parity.md is generated from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from envctl.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class VolatilePlace:
    """A place that facts leave out: a pattern as `find -path` has it, and why."""

    pattern: str
    reason: str


VOLATILE: Final[Sequence[VolatilePlace]] = (
    VolatilePlace("/proc/*", "the kernel's view of itself; the settings that a unit can have are compared as sysctls"),
    VolatilePlace("/sys/*", "the kernel's view of itself; limits are compared by themselves"),
    VolatilePlace("/dev/*", "devices, which the engine or the kernel makes"),
    VolatilePlace("/run/*", "belongs to this run: sockets, pid files; secrets in it are compared by themselves"),
    VolatilePlace("/tmp/*", "temporary files"),  # noqa: S108 - looked at nowhere
    VolatilePlace("/var/tmp/*", "temporary files"),  # noqa: S108 - looked at nowhere
    VolatilePlace("/var/cache/*", "caches, which are made again when they are missing"),
    VolatilePlace("*/.cache/*", "caches in home folders"),
    VolatilePlace("/var/lib/apt/lists/*", "what the mirror offers at the moment; installed packages are compared"),
    VolatilePlace("/var/log/*", "logs"),
    VolatilePlace("/var/lib/dpkg/*-old", "dpkg's copies of how its records were before"),
    VolatilePlace("*/__pycache__", "Python's compiled copies of .py files, which are compared themselves"),
    VolatilePlace("/etc/hosts", "written for each run; what names mean is compared by itself"),
    VolatilePlace("/etc/hostname", "written for each run"),
    VolatilePlace("/etc/resolv.conf", "written for each run; what names mean is compared by itself"),
    VolatilePlace("/etc/mtab", "a link that the engine makes"),
    VolatilePlace("/etc/machine-id", "generated for each machine"),
    VolatilePlace("/.dockerenv", "the engine's mark in each container"),
    VolatilePlace("/usr/sbin/docker-init", "the init process that the engine brings to each container"),
    VolatilePlace("/sbin/docker-init", "the init process that the engine brings to each container"),
    VolatilePlace("/lost+found", "part of each disk's file system"),
    VolatilePlace("/etc/envctl", "where a machine has the script that starts its unit, which is compared as the process, and how that ended"),
    VolatilePlace("/etc/systemd/system/envctl-*", "where a machine has the service of its unit, which is compared as the process"),
    VolatilePlace("/usr/lib/envctl", "where a machine has the lists of what came with it"),
)  # fmt: skip
PATTERNS: Final = tuple(place.pattern for place in VOLATILE)


def literally(path: str) -> str:
    """Return a path as a pattern that only it matches."""
    return "".join(f"\\{char}" if char in "\\*?[]" else char for char in path)
