"""Arguments that several commands share, and their shell completion."""

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
    """The names of the services of the environment named before."""
    from envctl.definition import find_root, load

    return tuple(load(find_root(folder), target.partition("@")[0]).data["services"])


Target: TypeAlias = Annotated[
    str | None,
    Argument(
        "TARGET",
        "ENV or ENV@BACKEND. Default: ENVCTL_ENV, `default` in the spec, the only one, the only one that is up.",
        complete_target,
    ),
]
Services: TypeAlias = Annotated[
    list[str] | None,
    Argument("SERVICE", "Services. Default: all.", complete_service),
]
Unit: TypeAlias = Annotated[
    str | None,
    Argument(
        "UNIT",
        "A service or one of its replicas (web-2). Optional if there is only one service.",
        complete_service,
    ),
]
