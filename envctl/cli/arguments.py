"""Arguments that several commands take, and how a shell completes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TypeAlias

from envctl.cli.declare import Argument


def complete_target(_incomplete: str, _target: str, folder: Path) -> Sequence[str]:
    """The names of the project's environments."""
    from envctl.definition import environments, find_root

    return environments(find_root(folder))


def complete_service(_incomplete: str, target: str, folder: Path) -> Sequence[str]:
    """The names of the services of the environment that stands before."""
    from envctl.definition import find_root, load

    return tuple(load(find_root(folder), target.partition("@")[0]).data["services"])


Target: TypeAlias = Annotated[
    str | None,
    Argument(
        "TARGET", "ENV or ENV@BACKEND; may be left out if the project has one.", complete_target
    ),
]
Services: TypeAlias = Annotated[
    list[str] | None,
    Argument("SERVICE", "Services; all of them if none is named.", complete_service),
]
Unit: TypeAlias = Annotated[
    str | None,
    Argument(
        "UNIT",
        "A service, or one of its replicas (web-2); may be left out if there is one.",
        complete_service,
    ),
]
