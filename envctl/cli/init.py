"""init: write a spec for the application in a folder, or a starter project."""

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
    yes: Annotated[bool, Option(("--yes", "-y"), "Do not ask before writing.")] = False,
) -> None:
    """Write a spec for the application in a folder, or a starter project into an empty one.

    Looks at the files, runs nothing, and says what it found and what it guessed. An application gets an `envctl.yaml`
    and nothing else; a folder without one gets a spec, three environments and a small app. Nothing is overwritten.

    Examples:
        envctl init
        envctl init my-project --name shop
    """
    import shlex

    target = (invocation.options.directory or Path()) / (folder or Path())
    project = _valid_name(name or _name_of(followed(target)))
    files = _application(invocation, target, project, yes=yes) or starter(project)
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


def _application(
    invocation: Invocation, target: Path, project: str, *, yes: bool
) -> Mapping[str, str] | None:
    """The spec for the application in the folder, after the user has agreed to it; None if no application is found."""
    from envctl.definition import names
    from envctl.definition.entries import catalogues_of
    from envctl.detect.application import detect
    from envctl.detect.backing_services import find_connections
    from envctl.detect.env_file import is_env_file
    from envctl.detect.folder_view import FolderView
    from envctl.detect.spec_text import spec_text

    view = FolderView(target)
    findings = detect(view)
    if findings is None:
        if view.paths:
            invocation.note(f"note: no application was recognized in {target}: this is the starter")
        return None
    overlays = sorted(path for path in view.paths if path.startswith(f"{names.FOLDER}/"))
    _refuse(
        target, [path for path in (names.ROOT_FILE, *overlays) if os.path.lexists(target / path)]
    )
    catalogue = catalogues_of(None).names()
    connections = find_connections(view, findings.dependencies, catalogue=catalogue)
    line = invocation.out.line
    line(invocation.out.safe(f"found {findings.title}: {', '.join(findings.seen)}"))
    for seen in connections.seen:
        line(invocation.out.safe(f"found {seen}"))
    for guess in (*findings.guesses, *connections.guesses):
        line(invocation.out.safe(f"guessed: {guess}"))
    if not yes and not _agreed(invocation):
        raise EnvctlError("nothing was written")
    env_file = is_env_file(view)
    return {names.ROOT_FILE: spec_text(project, findings, connections, env_file=env_file)}


def _agreed(invocation: Invocation) -> bool:
    """Whether the user agrees; true if there is no terminal."""
    import sys

    file = invocation.err.file
    if sys.stdin is None or not sys.stdin.isatty() or not file.isatty():
        return True
    file.write("Write envctl.yaml? [Y/n] ")
    file.flush()
    return sys.stdin.readline().strip().lower() in ("", "y", "yes")


def _refuse(target: Path, existing: Sequence[str]) -> None:
    """Raise EnvctlError if any of these spec files exists."""
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


def _valid_name(name: str) -> str:
    """The project's name. UsageError if it is not valid."""
    from envctl.definition.names import ALLOWED, is_name

    if not is_name(name):
        raise UsageError(
            f"{name!r} is not a valid project name",
            hint=ALLOWED,
        )
    return name


def starter(name: str) -> Mapping[str, str]:
    """The starter's files by path, for a project of this name."""
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
