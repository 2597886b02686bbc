"""Boxes of bases without a build. Builds in machines start from them, and rendered folders that have no catalogue."""

from __future__ import annotations

import re
from dataclasses import replace
from hashlib import file_digest
from pathlib import Path
from typing import Final

from envctl.backends.base import Context
from envctl.backends.vagrant.box import boot, box_files, root_disk
from envctl.backends.vagrant.box.box_store import BoxStore
from envctl.backends.vagrant.box.build_dir import build_dir
from envctl.plan.digest import digest
from envctl.plan.model import Base

_WELL_KNOWN_KEY: Final = (
    "ssh-rsa "
    "AAAAB3NzaC1yc2EAAAABIwAAAQEA6NF8iallvQVp22WDkTkyrtvp9eWW6A8YVr+kz4TjGYe7gHzIw+niNltGEFHz"
    "D8+v1I2YJ6oXevct1YeS0o9HZyN1Q9qgCgzUFtdOKLv6IedplqoPkcmF0aYet2PkEDo3MlTBckFXPITAMzF8dJSI"
    "Fo9D8HfdOV0IAdx4O7PtixWKn5y2hMNG0zQPyUecp4pzC6kivAIhyfHilFR61RGL+GPXQ2MWZWFYbAGjyiYJnAmC"
    "P3NOTd0jMZEnDkbUvxhMmBYSdETk1rRgm+R4LOzFUGaHqHDLKLX+FIPKcF96hrucXzcWyLbIbEgE98OHlnVYCzRd"
    "K8jlqm8tehUc9c9WhQ=="
    " vagrant insecure public key"
)
"""The key that Vagrant tries first and then replaces with a new one for the machine."""


def box_name(base: Base, template_digest: str = "") -> str:
    """The name of a base's box; `template_digest` is the digest of the project's own templates, if any."""
    templates = f"-{template_digest[:8]}" if template_digest else ""
    dated = f"-{digest(base.snapshot)[:8]}" if base.snapshot else ""
    text = re.sub(r"[^a-z0-9.]+", "-", (base.name or base.image).lower()).strip("-")
    return f"envctl/{text}{dated}{templates}"


class BaseBoxes:
    """Makes the boxes of bases, with or without a container engine."""

    def __init__(self, context: Context, store: BoxStore) -> None:
        self._context = context
        self._store = store
        self._renewed: set[str] = set()
        """The boxes that this run has made again."""

    def ensure(self, unit: str, base: Base, *, renew: bool = False) -> str:
        """The name of a base's box. Makes it if it does not exist; with `renew`, makes it again once in this run."""
        name = box_name(base, self._context.template_digest)
        with self._store.locked(name):
            if not self._store.has(name) or (renew and name not in self._renewed):
                with build_dir() as folder:
                    self._make_disk(unit, base, folder)
                    note = {"build": "", "steps": "[]"}
                    self._store.add(unit, name, folder, note, base=True)
                self._renewed.add(name)
        return name

    def checksum(self, base: Base) -> str:
        """The checksum of the disk of a base's box; "" if the box does not exist."""
        name = box_name(base, self._context.template_digest)
        if not self._store.has(name):
            return ""
        with (box_files.box_folder(name) / root_disk.FILE).open("rb") as disk:
            return f"sha256:{file_digest(disk, 'sha256').hexdigest()}"

    def _make_disk(self, unit: str, base: Base, folder: Path) -> None:
        """Make the disk of a base in a folder. The result is the same with and without an engine.

        A machine that starts without its own key accepts Vagrant's well-known key.
        """
        # A build step installs the key. Writing it from here would follow links in the image.
        build = boot.machine_build(
            base.image, key=_WELL_KNOWN_KEY, template_digest=self._context.template_digest
        )
        engine = self._store.engine
        if engine is not None:
            self._context.have_base(base)
            root_disk.from_image(engine, engine.have(unit, build), folder)
        else:
            with build_dir() as root:
                self._context.bootstrap(replace(build, base=base), root)
                root_disk.from_root(root, folder)
