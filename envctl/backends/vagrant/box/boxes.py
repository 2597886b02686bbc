"""Chooses how to make the box of each source: from its image, in a machine, or with a Docker engine inside."""

from __future__ import annotations

from typing import Final

from envctl.backends.base import Context
from envctl.backends.vagrant.box.base_boxes import BaseBoxes
from envctl.backends.vagrant.box.box_store import BoxStore
from envctl.backends.vagrant.box.engine_boxes import EngineBoxes
from envctl.backends.vagrant.box.image_boxes import ImageBoxes
from envctl.backends.vagrant.provision.machine_builder import MachineBuilder
from envctl.plan.model import Build, DockerfileBuild, Source

_IMAGE: Final = "image"
_PROVISION: Final = "provision"


class Boxes:
    """Makes boxes and knows their names; `store` has the existing boxes."""

    def __init__(self, context: Context, store: BoxStore) -> None:
        self._context = context
        self.store = store
        self.bases = BaseBoxes(context, store)
        self._engine_boxes = EngineBoxes(context, store)

    def builds_in_vm(self, build: Build) -> bool:
        """Whether a build runs in a machine: the spec asks for it, or no container engine answers."""
        return build.strategy == _PROVISION or (
            build.strategy != _IMAGE and self.store.engine is None
        )

    def make(self, unit: str, source: Build | DockerfileBuild) -> None:
        """Make the box of a build."""
        if isinstance(source, DockerfileBuild):
            self._engine_boxes.ensure(unit, source)
        elif self.builds_in_vm(source):
            MachineBuilder(self._context, self.store, self.bases).make(unit, source)
        else:
            ImageBoxes(self._context, self.store).make(unit, source)

    def box_of(self, unit: str, source: Source) -> str:
        """The name of the box for a source. Makes the box of a container image if it does not exist."""
        if isinstance(source, Build):
            return self.store.name(source)
        return self._engine_boxes.ensure(unit, source)
