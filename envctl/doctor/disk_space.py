"""The check of free disk space."""

from __future__ import annotations

from typing import Final

from envctl.doctor.findings import Finding
from envctl.doctor.host import Host

MIN_SPACE: Final = 3 * 1000**3
"""In bytes: enough for two bases, some packages and a build's intermediate files, or for the disks of some machines."""


def disk_space(host: Host, name: str, path: str, *, usage_command: str, note: str = "") -> Finding:
    """Whether a path has enough free space. `note` is added to the observation."""
    free = host.free(path)
    observed = f"{free / 1000**3:.1f} GB free at {path}{note}"
    if free >= MIN_SPACE:
        return Finding.passed(name, observed)
    return Finding.failed(name, observed, f"free some space: `{usage_command}` shows what uses it")
