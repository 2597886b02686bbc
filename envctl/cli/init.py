"""init: a starter that is valid and comes up."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

from envctl.cli.declare import Argument, Option, without_spec
from envctl.cli.invocation import Invocation
from envctl.definition.names import ALLOWED, ROOT_FILE, is_name
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
        Argument("DIR", "The project's folder, made if missing; by default this."),
    ] = None,
    *,
    name: Annotated[
        str | None, Option(("--name",), "The project's name; by default the folder's.")
    ] = None,
) -> None:
    """Write a commented starter that is valid and comes up.

    It consists of a spec, three environments and a small app, and overwrites nothing: an
    app/server.py that is there is kept, and with a spec there already nothing is written.
    """
    target = (invocation.options.directory or Path()) / (folder or Path())
    files = starter(name or _name_of(followed(target)))
    there = [path for path in files if os.path.lexists(target / path)]
    _refuse(target, [path for path in there if not path.startswith(_APP)])
    for path in there:
        invocation.out.line(invocation.out.safe(f"kept {target / path}, which was there already"))
    for path in (path for path in files if path not in there):
        file = target / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(files[path], encoding="utf-8")
        invocation.out.line(invocation.out.safe(f"wrote {file}"))
    go = f"cd {shlex.quote(str(target))} && " if followed(target) != Path.cwd() else ""
    invocation.note(
        f"\nNext:\n  {go}envctl doctor   # is everything here that it needs?\n"
        f"  {go}envctl up dev   # bring it up\n"
    )


def _refuse(target: Path, there: Sequence[str]) -> None:
    """EnvctlError if these files of a spec are there."""
    if ROOT_FILE in there:
        raise EnvctlError(
            f"{target / ROOT_FILE} is there: this is a project already, and nothing is overwritten",
            hint="`envctl validate` checks it, `envctl up` brings it up",
        )
    if there:
        raise EnvctlError(
            f"{target / there[0]} is there already, and nothing is overwritten",
            details="\n".join(there[1:]),
            hint="start in another folder: `envctl init my-project`",
        )


def starter(name: str) -> Mapping[str, str]:
    """The starter's files by path, for a project of this name. UsageError for an impossible name."""
    if not is_name(name):
        raise UsageError(
            f"{name!r} cannot be a project's name",
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
    """A name made of the folder's."""
    name = re.sub(r"[^a-z0-9]+", "-", folder.name.lower()).strip("-")[:40].strip("-")
    return name if is_name(name) else "app"
