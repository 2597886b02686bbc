"""Checks of project paths in a spec: they must be inside the project, spelled exactly, and readable."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from envctl.errors import Place, Problem, SpecError
from envctl.host.links import as_listed, composed, followed
from envctl.host.private_state import is_private
from envctl.host.safe_read import InsideError, read_inside, real_path

_NOWHERE: Final = Place("envctl.yaml", 1, 1)


def problem(message: str, where: Place | None, *, hint: str = "") -> SpecError:
    """Return a SpecError with one problem, and its line of the spec if that can be read."""
    return SpecError((Problem(where or _NOWHERE, message, hint=hint),))


def located(root: Path, relative: str, where: Place | None) -> str:
    """Return the real path of a project's file or folder, relative to the project, with links followed.

    SpecError if it is missing, outside, private or of another kind.
    """
    try:
        real = real_path(root, relative)
    except FileNotFoundError as error:
        raise problem(f"{relative!r} does not exist{_dangling(root / relative)}", where) from error
    except InsideError as error:
        raise problem(
            error.brief.replace(relative, repr(relative), 1),
            where,
            hint="a build uses files of the project only; copy it into the project, or mount it",
        ) from error
    if is_private(real, root):
        raise problem(f"{relative!r} is in envctl's own folder, which contains secrets", where)
    require_spelling(root, relative, where)
    if not (real.is_file() or real.is_dir()):
        raise problem(
            f"{relative!r} is neither a file nor a folder",
            where,
            hint="pipes, sockets and devices cannot be copied",
        )
    return real.relative_to(followed(root)).as_posix()


def require_spelling(root: Path, relative: str, where: Place | None) -> None:
    """SpecError if a path of the project exists only because its disk ignores case."""
    written = os.path.normpath(relative)
    if Path(written).is_absolute() or written.split("/")[0] == "..":
        return
    home = followed(root)
    listed = as_listed(home / written).relative_to(home).as_posix()
    if composed(listed) != composed(written):
        raise problem(
            f"{relative!r} is spelled {listed!r} on disk",
            where,
            hint=f"write {listed}: this disk ignores case, others do not",
        )


def _dangling(path: Path) -> str:
    return f": it is a link to {path.readlink()}" if path.is_symlink() else ""


def read_text(root: Path, relative: str, *, where: Place | None) -> str:
    """Return the text of a project file, UTF-8."""
    located(root, relative, where)
    try:
        return read_inside(root, relative).decode("utf-8")
    except InsideError as error:
        raise problem(error.brief, where, hint=error.hint) from error
    except (OSError, UnicodeDecodeError) as error:
        raise problem(f"{relative!r} cannot be read as UTF-8 text: {error}", where) from error
