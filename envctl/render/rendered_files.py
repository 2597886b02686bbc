"""The contents of a rendered folder, before any of it is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from envctl.host.source_tree import SourceEntry
from envctl.lazy_dataclass import dataclass
from envctl.plan.artifact import Artifact
from envctl.render.templates import Templates


@dataclass(frozen=True, slots=True)
class Copied:
    """A file that is copied from the project: `entry`, from `source`."""

    source: str
    entry: SourceEntry


Content: TypeAlias = bytes | Copied


def render(artifacts: Iterable[Artifact], *, templates: Templates) -> Mapping[str, Content]:
    """Return the contents of a rendered folder, by path. The same plan gives the same bytes."""
    return {
        artifact.path: Copied(artifact.copy_of, artifact.entry)
        if artifact.entry
        else templates.render(artifact.template, artifact.context).encode("utf-8")
        for artifact in artifacts
    }


def modes(artifacts: Iterable[Artifact]) -> Mapping[str, int]:
    """Return the permission bits of a rendered file, independent of umask and checkout."""
    return {artifact.path: artifact.mode for artifact in artifacts}
