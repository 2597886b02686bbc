"""Boxes made from a build's own image, with a container engine."""

from __future__ import annotations

import json

from envctl.backends.base import Context
from envctl.backends.common import image_ids
from envctl.backends.vagrant.box import boot, root_disk
from envctl.backends.vagrant.box.box_store import BoxStore, build_note
from envctl.backends.vagrant.box.build_dir import build_dir
from envctl.plan.model import Build


class ImageBoxes:
    """Turns the image of a build into a box, so that machines run the same software as containers."""

    def __init__(self, context: Context, store: BoxStore) -> None:
        self._context = context
        self._store = store

    def make(self, unit: str, build: Build) -> None:
        """Make the box of a build from its image. Builds the image first if necessary."""
        engine = self._context.images()
        for base in build.bases:
            self._context.have_base(base)
        known = image_ids.last(build.digest)
        image = engine.have(unit, build)
        image_id = engine.images.content(image)
        # The machine's build depends on the image's id, because the name may belong to another image by now.
        template_digest = self._context.template_digest + image_id
        machine_image = engine.have(
            unit, boot.machine_build(image, template_digest=template_digest)
        )
        with build_dir() as folder:
            self._store.say(unit, "making the disk")
            root_disk.from_image(engine, machine_image, folder)
            volumes = json.dumps(engine.images.volumes(image) or ())
            note = {**build_note(build, image_id), "known": known, "volumes": volumes}
            self._store.add(unit, self._store.name(build), folder, note)
