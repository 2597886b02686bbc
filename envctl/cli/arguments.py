"""Arguments that several commands take, and how a shell completes them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer


def complete_target(context: typer.Context, incomplete: str) -> list[str]:
    """The names of the project's environments."""
    try:
        from envctl.spec import environments, find_root

        names = environments(find_root(_folder(context)))
    except Exception:  # noqa: BLE001 - a shell that completes must show no error
        return []
    return [name for name in names if name.startswith(incomplete)]


def complete_service(context: typer.Context, incomplete: str) -> list[str]:
    """The names of the services of the environment that stands before."""
    try:
        from envctl.spec import find_root, load

        environment = str(context.params.get("target") or "").partition("@")[0]
        services = load(find_root(_folder(context)), environment).data["services"]
    except Exception:  # noqa: BLE001 - a shell that completes must show no error
        return []
    return [name for name in services if name.startswith(incomplete)]


def _folder(context: typer.Context) -> Path:
    for one in (context, context.find_root()):
        if given := one.params.get("directory"):
            return Path(given)
    return Path()


Target: TypeAlias = Annotated[
    str | None,
    typer.Argument(
        metavar="TARGET",
        help="ENV or ENV@BACKEND; may be left out if there is one environment.",
        autocompletion=complete_target,
        show_default=False,
    ),
]
Services: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="SERVICE",
        help="Services; all of them if none is named.",
        autocompletion=complete_service,
        show_default=False,
    ),
]
Unit: TypeAlias = Annotated[
    str | None,
    typer.Argument(
        metavar="UNIT",
        help="A service, or one of its replicas (web-2); may be left out if there is one service.",
        autocompletion=complete_service,
        show_default=False,
    ),
]
