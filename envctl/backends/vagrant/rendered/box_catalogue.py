"""The published boxes that a rendered folder starts from. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from envctl.backends.vagrant.box import boot
from envctl.errors import EnvctlError
from envctl.plan.model import Base, Build, Source

PUBLISHED: Final[Mapping[str, str]] = {
    "debian:bookworm": "debian/bookworm64",
    "debian:bookworm-slim": "debian/bookworm64",
    "debian:trixie": "debian/trixie64",
    "debian:trixie-slim": "debian/trixie64",
    "ubuntu:24.04": "bento/ubuntu-24.04",
    "ubuntu:22.04": "bento/ubuntu-22.04",
}
"""By base, the box of the same distribution in Vagrant's catalogue, available for several providers."""


def published_box(source: Source) -> str:
    """The name of the published box for a source. EnvctlError if it is unknown."""
    base = source.base if isinstance(source, Build) else boot.KERNEL_BASE
    box = box_of_base(base)
    if not box:
        raise EnvctlError(
            f"no box is known for the base {base.image}",
            hint="name one: `base: {image: …, box: …}`",
            where=source.where,
        )
    return box


def box_of_base(base: Base) -> str:
    """The name of the published box for a base; "" if it is unknown."""
    return base.box or PUBLISHED.get(base.name, "")
