"""Boxes that machines start from: what a catalogue of boxes calls them, and what envctl makes itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from envctl.backends.base import Context
from envctl.backends.common.build_inputs import ImageSource
from envctl.backends.vagrant import boot, disks
from envctl.backends.vagrant.build_dir import workshop
from envctl.errors import EnvctlError
from envctl.plan.digest import digest
from envctl.plan.model import Base, Build, Source

PUBLISHED: Final[Mapping[str, str]] = {
    "debian:bookworm": "debian/bookworm64",
    "debian:bookworm-slim": "debian/bookworm64",
    "debian:trixie": "debian/trixie64",
    "debian:trixie-slim": "debian/trixie64",
    "ubuntu:24.04": "bento/ubuntu-24.04",
    "ubuntu:22.04": "bento/ubuntu-22.04",
}
"""By the name of a base, the box with that distribution that Vagrant's catalogue has for several providers."""

WELL_KNOWN_KEY: Final = (
    "ssh-rsa "
    "AAAAB3NzaC1yc2EAAAABIwAAAQEA6NF8iallvQVp22WDkTkyrtvp9eWW6A8YVr+kz4TjGYe7gHzIw+niNltGEFHz"
    "D8+v1I2YJ6oXevct1YeS0o9HZyN1Q9qgCgzUFtdOKLv6IedplqoPkcmF0aYet2PkEDo3MlTBckFXPITAMzF8dJSI"
    "Fo9D8HfdOV0IAdx4O7PtixWKn5y2hMNG0zQPyUecp4pzC6kivAIhyfHilFR61RGL+GPXQ2MWZWFYbAGjyiYJnAmC"
    "P3NOTd0jMZEnDkbUvxhMmBYSdETk1rRgm+R4LOzFUGaHqHDLKLX+FIPKcF96hrucXzcWyLbIbEgE98OHlnVYCzRd"
    "K8jlqm8tehUc9c9WhQ=="
    " vagrant insecure public key"
)
"""What Vagrant tries first, and replaces by a key of the machine's own."""


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


def name(base: Base, recipe: str = "") -> str:
    """What envctl calls the box that it makes of a base, by a project's own templates if it has such."""
    own = f"-{recipe[:8]}" if recipe else ""
    dated = f"-{digest(base.snapshot)[:8]}" if base.snapshot else ""
    text = re.sub(r"[^a-z0-9.]+", "-", (base.name or base.image).lower()).strip("-")
    return f"envctl/{text}{dated}{own}"


def disk(
    unit: str, base: Base, context: Context, *, engine: ImageSource | None, folder: Path
) -> None:
    """Make the disk of a base, as a machine's, in a folder: the same with an engine and without.

    Machines made of it accept Vagrant's well-known key if they are started without one of their own.
    """
    # The key is a step of the build, too: links in an image lead nowhere but into the image.
    build = boot.machine_build(base.image, key=WELL_KNOWN_KEY, recipe=context.recipe)
    if engine is not None:
        context.have_base(base)
        disks.from_image(engine, engine.have(unit, build), folder)
    else:
        with workshop() as root:
            context.bootstrap(replace(build, base=base), root)
            disks.from_root(root, folder)
