"""Boxes that machines start from: what a catalogue of boxes calls them, and what envctl makes itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from envctl.backends.vagrant import boot
from envctl.errors import EnvctlError
from envctl.plan.model import Build, Source

PUBLISHED: Final[Mapping[str, str]] = {
    "debian:bookworm": "debian/bookworm64",
    "debian:bookworm-slim": "debian/bookworm64",
    "debian:trixie": "debian/trixie64",
    "debian:trixie-slim": "debian/trixie64",
    "ubuntu:24.04": "bento/ubuntu-24.04",
    "ubuntu:22.04": "bento/ubuntu-22.04",
}
"""By the name of a base, the box with that distribution that Vagrant's catalogue has for several providers."""


def published(source: Source) -> str:
    """The box of a catalogue that a rendered folder starts from. EnvctlError if nobody has named one."""
    base = source.base if isinstance(source, Build) else boot.KERNEL_BASE
    box = base.box or PUBLISHED.get(base.name, "")
    if not box:
        raise EnvctlError(
            f"no box is known for the base {base.image}",
            hint="name one: `base: {image: …, box: …}`",
            where=source.where,
        )
    return box
