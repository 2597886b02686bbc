"""init: write a starter project."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

from envctl.cli.declare import Argument, Option, without_spec
from envctl.cli.invocation import Invocation
from envctl.errors import EnvctlError, UsageError
from envctl.host.links import followed

_STARTER = Path(__file__).parent / "starter"
_APP = "app/"
_PROJECT_LINE = "project: starter"


@without_spec
def init(
    invocation: Invocation,
    folder: Annotated[
        Path | None,
        Argument("DIR", "The project's folder; created if missing. Default: the current folder."),
    ] = None,
    *,
    name: Annotated[
        str | None, Option(("--name",), "The project's name. Default: the folder's name.")
    ] = None,
) -> None:
    """Write a commented starter project that is ready for `envctl up`.

    The starter is a spec, three environments and a small app. Nothing is overwritten: an existing app/server.py is
    left alone, and if the folder has a spec already, nothing is written.

    Examples:
        envctl init
        envctl init my-project --name shop
    """
    import shlex

    target = (invocation.options.directory or Path()) / (folder or Path())
    files = starter(name or _name_of(followed(target)))
    existing = [path for path in files if os.path.lexists(target / path)]
    _refuse(target, [path for path in existing if not path.startswith(_APP)])
    for path in existing:
        invocation.out.line(invocation.out.safe(f"left {target / path} alone: it already exists"))
    for path in (path for path in files if path not in existing):
        file = target / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(files[path], encoding="utf-8")
        invocation.out.line(invocation.out.safe(f"wrote {file}"))
    go = f"cd {shlex.quote(str(target))} && " if followed(target) != Path.cwd() else ""
    invocation.note(
        f"\nNext:\n  {go}envctl doctor   # check this machine\n  {go}envctl up dev   # start it\n"
    )


def _refuse(target: Path, existing: Sequence[str]) -> None:
    """Raise EnvctlError if any of these files of a spec exists."""
    from envctl.definition.names import ROOT_FILE

    if ROOT_FILE in existing:
        raise EnvctlError(
            f"{target / ROOT_FILE} already exists; nothing was written",
            hint="`envctl validate` checks the spec, `envctl up` starts it",
        )
    if existing:
        raise EnvctlError(
            f"{target / existing[0]} already exists; nothing was written",
            details="\n".join(existing[1:]),
            hint="start in another folder: `envctl init my-project`",
        )


def starter(name: str) -> Mapping[str, str]:
    """The starter's files by path, for a project of this name. UsageError if the name is not valid."""
    from envctl.definition.names import ALLOWED, is_name

    if not is_name(name):
        raise UsageError(
            f"{name!r} is not a valid project name",
            hint=ALLOWED,
        )
    return {
        path.relative_to(_STARTER).as_posix(): path.read_text("utf-8").replace(
            _PROJECT_LINE, f"project: {name}"
        )
        for path in sorted(_STARTER.rglob("*"))
        if path.is_file() and path.suffix != ".pyc"
    }


def _name_of(folder: Path) -> str:
    """A valid project name derived from the folder's name."""
    from envctl.definition.names import is_name

    name = re.sub(r"[^a-z0-9]+", "-", folder.name.lower()).strip("-")[:40].strip("-")
    return name if is_name(name) else "app"
