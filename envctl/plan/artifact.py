"""A file of a rendered folder, and the text that templates may output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from envctl.host.source_tree import SourceEntry
from envctl.lazy_dataclass import dataclass


class Quoted(str):
    """Text that is quoted for its file already: the only output that a template may have."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file of the rendered folder: a template with its context, or a copy of `entry` of the project.

    Exactly one of `template` and `copy_of` (the path of `entry` in the project) is set. `mode` are permission bits.
    """

    path: str
    template: str = ""
    context: Mapping[str, Any] = field(default_factory=dict)
    copy_of: str = ""
    mode: int = 0o644
    entry: SourceEntry | None = None
