"""What several checks say alike."""

from __future__ import annotations

LEAST_SPACE = 3 * 1000**3
"""Bytes: two bases, a few packages and a build's intermediate files; or the disks of a few machines."""


def apt_command(packages: tuple[str, ...]) -> str:
    """What a user types to install packages."""
    return f"sudo apt-get install --no-install-recommends {' '.join(packages)}"
