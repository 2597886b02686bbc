"""A resolved spec: its data, and where every value of it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from envctl.lazy_dataclass import dataclass

if TYPE_CHECKING:
    from envctl.definition.keys.spec_file import SpecData
    from envctl.definition.origins import Origins
    from envctl.errors import Place, Problem


@dataclass(frozen=True, slots=True)
class Resolved:
    """A resolved spec, the origins of its values, and the files it was made from.

    An origin's path leads into `data`: ("services", "web", "env", "LOG_LEVEL"). A value that has no
    entry of its own (part of an expanded short form, a default) has the origin of its nearest parent.
    """

    root: Path
    data: SpecData
    origins: Origins
    files: tuple[str, ...] = ()
    run_paths: Mapping[str, str] = field(default_factory=dict)
    """The keys of a service that are part of its units' run identity, each with its path in the run.

    They are stored with the data, so that a cached spec can be planned without loading the declarations.
    """
    inputs: Mapping[str, str] = field(default_factory=dict)
    """Hashes of other files that its values come from, by path; "" for one that does not exist."""
    missing_files: tuple[tuple[str, Problem], ...] = ()
    """By service, files that its build needs and that do not exist; only if that was tolerated."""

    def on_backend(self, name: str | None) -> Resolved:
        """Return the spec as it is on another backend than its own, where it was not set by any file. None changes nothing."""
        if not name:
            return self
        data: SpecData = {**self.data, "backend": name}
        return replace(self, data=data, origins=self.origins.without(("backend",)))

    def where(self, *path: str | int) -> Place | None:
        """Return the place that set the value at the path, or its nearest parent."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.origins:
                return self.origins.place(path[:end])
        return None
