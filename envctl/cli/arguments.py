"""Arguments that several commands share, and their shell completion."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from envctl.cli.completions import (
    complete_service,
    complete_target,
    complete_target_or_service,
)
from envctl.cli.declare import Argument

_TARGET = "ENV or ENV@BACKEND. Default: ENVCTL_ENV, `default` in the spec, the only environment, or the only one that is up."

Target: TypeAlias = Annotated[str | None, Argument("TARGET", _TARGET, complete_target)]
TargetOrService: TypeAlias = Annotated[
    str | None, Argument("TARGET", _TARGET, complete_target_or_service)
]
"""The first argument of commands that take services."""
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
