"""Decides whether the user has allowed what a project uses on this host.

A fresh clone may name any command and any folder. Before their first use they are shown, quoted exactly, and the user
is asked. The answer is stored by project and content, outside the project, like direnv's `allow` and git's
`safe.directory`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from envctl.errors import EnvctlError
from envctl.host.atomic_write import replace_file
from envctl.host.links import followed
from envctl.host.private_state import existing_folder, open_private, private_folder

if TYPE_CHECKING:
    from envctl.trust.host_access import HostAccess

FILE: Final = "allowed.json"
VARIABLE: Final = "ENVCTL_TRUSTED"
"""A list of trusted project folders, in the format of the file `trusted` in envctl's configuration folder."""
Ask: TypeAlias = "Callable[[Sequence[HostAccess]], bool | None]"
"""Asks the user to allow all accesses: yes, no, or None if there is nobody to ask."""


def nobody(_accesses: Sequence[HostAccess]) -> None:
    """Return None: there is nobody to ask."""


# --- what is allowed --------------------------------------------------------------------------


def require(
    root: Path, accesses: Sequence[HostAccess], *, environ: Mapping[str, str], ask: Ask = nobody
) -> None:
    """Ask for everything that is not allowed yet. EnvctlError, with a list, if the user refuses."""
    new = missing(root, accesses, environ=environ)
    if not new:
        return
    answer = ask(new)
    if answer:
        allow(root, new)
        return
    refused = answer is not None
    raise EnvctlError(
        "this project wants access outside its folder, and "
        + ("you did not allow it" if refused else "nobody has allowed that yet"),
        details="\n".join(f"  {access}" for access in new),
        hint="read that; if you trust it, `envctl trust` or `envctl up --yes` allows exactly this"
        f" (automation: CI=true, or the folder in {VARIABLE})",
    )


def missing(
    root: Path, accesses: Sequence[HostAccess], *, environ: Mapping[str, str]
) -> tuple[HostAccess, ...]:
    """The accesses that are not allowed yet."""
    if not accesses or _is_automation(environ) or is_trusted(root, environ):
        return ()
    known = _allowed(root)
    return tuple(access for access in accesses if access.key not in known)


def allow(root: Path, accesses: Iterable[HostAccess]) -> None:
    """Record that these accesses are allowed."""
    keys = sorted(_allowed(root) | {access.key for access in accesses})
    _write(root, {"version": 1, "allowed": keys})


def revoke(root: Path) -> None:
    """Forget everything that was allowed for a project."""
    folder = existing_folder(root)
    if folder is not None:
        (folder / FILE).unlink(missing_ok=True)


def is_trusted(root: Path, environ: Mapping[str, str]) -> bool:
    """Whether the user's list of trusted folders contains the project: its path, `FOLDER/*` for a parent, or `*`."""
    home = followed(root)
    for line in (*environ.get(VARIABLE, "").split(os.pathsep), *_listed(environ)):
        entry = line.strip()
        if entry == "*":
            return True
        below = entry.endswith("/*")
        folder = Path(entry.removesuffix("/*") or "/")
        if not entry or not folder.is_absolute():
            continue
        if home in (folder, followed(folder)) and not below:
            return True
        if below and (followed(folder) in home.parents or folder in home.parents):
            return True
    return False


def trusted_file(environ: Mapping[str, str]) -> Path:
    """The user's list of trusted folders, one per line; it may not exist."""
    base = Path(environ.get("XDG_CONFIG_HOME") or "")
    return (base if base.is_absolute() else Path.home() / ".config") / "envctl" / "trusted"


def _is_automation(environ: Mapping[str, str]) -> bool:
    return environ.get("CI", "").strip().lower() in ("true", "1")


def _listed(environ: Mapping[str, str]) -> list[str]:
    file = trusted_file(environ)
    try:
        state = file.stat()
        if state.st_uid not in (os.geteuid(), 0) or state.st_mode & 0o002:
            raise EnvctlError(
                f"{file} can be changed by other users",
                hint=f"chmod go-w {file}, and make it yours",
            )
        lines = file.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise EnvctlError(f"{file} cannot be read: {error}") from error
    return [line for line in lines if not line.lstrip().startswith("#")]


def _allowed(root: Path) -> frozenset[str]:
    folder = existing_folder(root)
    if folder is None:
        return frozenset()
    try:
        with os.fdopen(open_private(folder / FILE, os.O_RDONLY), "rb") as file:
            data = json.loads(file.read())
        return frozenset(str(key) for key in data["allowed"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        # An unreadable file allows nothing: the user is asked again.
        return frozenset()


def _write(root: Path, data: Mapping[str, object]) -> None:
    path = private_folder(root) / FILE
    try:
        replace_file(path, json.dumps(data).encode(), mode=0o600)
    except OSError as error:
        raise EnvctlError(f"{path} cannot be written: {error.strerror}") from error
