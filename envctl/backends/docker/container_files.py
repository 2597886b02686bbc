"""Copies files from and to a unit's container."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from envctl.backends.base import PathKind
from envctl.backends.docker.container_paths import at_its_end
from envctl.backends.docker.engine import Engine
from envctl.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class ContainerFiles:
    """The files of a unit's container, whether it runs or not."""

    engine: Engine
    unit: str
    container: str

    def archive(self, path: str) -> Iterator[bytes]:
        """A file or folder as a tar archive; a link at the path itself is not followed."""
        with (
            self.engine.doing(f"read {path} of {self.unit}") as api,
            api.get_archive(self.container, path) as archive,
        ):
            yield from archive

    def path_kind(self, path: str) -> PathKind:
        """What is at a path, with links followed."""
        with self.engine.doing(f"look at {path} of {self.unit}") as api:
            entry = at_its_end(api, self.container, path)[1]
        if entry is None:
            return PathKind.NOTHING
        return PathKind.FOLDER if entry.is_directory else PathKind.FILE

    def pack(self, path: str) -> Iterator[bytes]:
        """A file or folder as a tar archive; a link at the path itself is followed."""
        with self.engine.doing(f"read {path} of {self.unit}") as api:
            target, _ = at_its_end(api, self.container, path)
            with api.get_archive(self.container, target) as archive:
                yield from archive

    def unpack(self, folder: str, archive: BinaryIO) -> None:
        """Unpack a tar archive into a folder."""
        with self.engine.doing(f"write to {folder} of {self.unit}") as api:
            api.put_archive(self.container, folder, archive)
