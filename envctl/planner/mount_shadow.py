"""Copied files that a mount covers: the image does not need them."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, assert_never

from envctl.errors import Place
from envctl.lazy_dataclass import dataclass
from envctl.planner.overlaps import canonical, is_within
from envctl.planner.service_context import ServiceContext

if TYPE_CHECKING:
    from envctl.definition.keys.build_source import CopyStep, StepData
    from envctl.definition.keys.service_values import MountData


@dataclass(slots=True)
class MountShadow:
    """The mounts that cover what one copy step writes, with their places in the spec."""

    source: str
    target: str
    is_file: bool
    mounts: Sequence[tuple[MountData, Place | None]]
    _seen: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, context: ServiceContext, item: CopyStep, later: Sequence[StepData]) -> MountShadow:
        """Return the mounts over a service's copy; none, if a later step may read the copied files."""
        target, is_file = item["target"], (context.root / item["source"]).is_file()
        if is_file and target.endswith("/"):
            target += posixpath.basename(posixpath.normpath(item["source"]))
        place = canonical(target)
        mounts = [
            (mount, context.where("mounts", index))
            for index, mount in enumerate(context.service["mounts"])
            if _overlap(canonical(mount["target"]), place)
        ]
        if any(_may_read(step, place) for step in later):
            mounts = []
        return cls(item["source"], place, is_file, mounts)

    def hides(self, path: str) -> bool:
        """Whether a mount covers a path in the copied folder; "" is the folder itself."""
        place = f"{self.target.rstrip('/')}/{path}" if path else self.target
        for mount, _ in self.mounts:
            if is_within(place, canonical(mount["target"])):
                self._seen.add(mount["target"])
                return True
        return False

    def target_of_nothing(self, target: str) -> str:
        """Return the folder of a copy that is covered completely; for a file, the folder that it would be in."""
        return f"{posixpath.dirname(self.target).rstrip('/')}/" if self.is_file else target

    def notes(self) -> Iterator[str]:
        """Yield the notes about it, one per mount."""
        for mount, where in self.mounts:
            if mount["target"] in self._seen:
                at = f" ({where})" if where else ""
                yield (
                    f"copy {self.source}: what it puts below {mount['target']} is left out of the image, since"
                    f" {mount['source']} is mounted there{at}"
                )


def _overlap(path: str, other: str) -> bool:
    return is_within(path, other) or is_within(other, path)


def _may_read(step: StepData, place: str) -> bool:
    """Whether a step may need what was copied to a path. A command may need anything."""
    match step["step"]:
        case "run":
            return True
        case "pip":
            return bool(step["requirements"]) and _overlap(canonical(step["requirements"]), place)
        case "npm":
            return not step["packages"] and _overlap(canonical(step["directory"] or "/"), place)
        case "copy" | "copy_from" | "template":
            return False
        case _:
            assert_never(step)
