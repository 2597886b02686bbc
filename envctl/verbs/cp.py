"""`cp`: copy files between this host and a unit."""

from __future__ import annotations

import posixpath
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from envctl.backends.base import CopiesFiles, Execution, NotRunningError, PathKind
from envctl.errors import EnvctlError, UsageError
from envctl.host.copied_files import pack, unpack
from envctl.host.links import followed
from envctl.lazy_dataclass import dataclass
from envctl.plan.target import Target
from envctl.project import Project
from envctl.session import Session
from envctl.verbs.running_units import require_existing
from envctl.verbs.supported import unsupported

_IN_MEMORY: Final = 32 << 20
_SHORT: Final = 1024


@dataclass(frozen=True, slots=True)
class CopyResult:
    """The number of copied files, folders and links, and the skipped ones with the reason."""

    count: int
    left_out: tuple[str, ...] = ()


def copy_from(project: Project, target: Target, unit: str, path: str, *, to: Path) -> CopyResult:
    """Copy a file or folder from a unit. It becomes `to`, or goes into `to` if that is a folder.

    If a path ends in "/.", the content of the folder is copied, as with `docker cp`.
    """
    path = _absolute(path)
    archive = read_archive(project, target, unit, path)
    count, left_out = unpack(archive, to, contents=path.endswith("/."))
    return CopyResult(count, left_out)


def read_archive(project: Project, target: Target, unit: str, path: str) -> Iterator[bytes]:
    """A file or folder of a unit as a tar archive."""
    backend = _backend(project, target, unit)
    source = _absolute(path).removesuffix("/.").rstrip("/") or "/"
    if backend.path_kind(unit, source) is PathKind.NOTHING:
        raise EnvctlError(f"{unit} has no {source}")
    return backend.pack(unit, source)


def copy_to(project: Project, target: Target, unit: str, path: str, *, source: str) -> CopyResult:
    """Copy a file or folder into a unit. It becomes `path`, or goes into that folder, and belongs to the unit's user."""
    local = Path(source)
    if not local.exists():
        raise EnvctlError(f"{source} does not exist")
    backend = _backend(project, target, unit)
    folder, name = _place(backend, unit, _absolute(path), local, contents=source.endswith("/."))
    owner = _owner(Session.of_existing(project, target), unit)
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as spool:
        count = pack(local, name, owner=owner, target=spool)
        spool.seek(0)
        backend.unpack(unit, folder, spool)  # type: ignore[arg-type]  # it has all methods of a file
    return CopyResult(count)


def write_archive(
    project: Project, target: Target, unit: str, path: str, *, archive: BinaryIO
) -> None:
    """Unpack a tar archive into a folder of a unit, with the owners and modes from the archive."""
    backend, folder = _backend(project, target, unit), _absolute(path)
    if backend.path_kind(unit, folder) is not PathKind.FOLDER:
        raise EnvctlError(f"{unit} has no folder {folder}")
    backend.unpack(unit, folder, archive)


def _backend(project: Project, target: Target, unit: str) -> CopiesFiles:
    session = Session.of_existing(project, target)
    backend = session.backend
    if not isinstance(backend, CopiesFiles):
        raise unsupported(backend, "cp")
    require_existing(session, unit, backend.observe())
    return backend


def _absolute(path: str) -> str:
    """An absolute path inside a unit. A relative path starts at /, as with `docker cp`."""
    if not path:
        raise UsageError("no path named", hint="write UNIT:PATH, for instance web:/srv/web/app.log")
    trailing = "/." if path.endswith(("/.", "/")) else ""
    return posixpath.normpath(f"/{path.lstrip('/')}") + (trailing if path.strip("/.") else "")


def _place(
    backend: CopiesFiles, unit: str, path: str, local: Path, *, contents: bool
) -> tuple[str, str]:
    """The folder of the unit to unpack an archive into, and the name of its first member."""
    must_be_folder, path = path.endswith("/."), path.removesuffix("/.") or "/"
    kind = backend.path_kind(unit, path)
    if kind is PathKind.FOLDER:
        return path, "." if contents and local.is_dir() else followed(local).name
    if kind is PathKind.FILE and (local.is_dir() or must_be_folder):
        raise EnvctlError(f"{path} of {unit} is a file: a folder cannot be copied to it")
    if kind is PathKind.NOTHING and must_be_folder and not local.is_dir():
        raise EnvctlError(f"{unit} has no folder {path}")
    folder, name = posixpath.split(path)
    if backend.path_kind(unit, folder) is not PathKind.FOLDER:
        raise EnvctlError(f"{unit} has no folder {folder}")
    return folder, name


def _owner(session: Session, unit: str) -> tuple[int, int]:
    """The numeric ids of the unit's user and group; root's if the unit is not running or does not answer."""
    numbers = (_printed(session, unit, option) for option in ("-u", "-g"))
    uid, gid = (int(text) if text.isdigit() else 0 for text in numbers)
    return uid, gid


def _printed(session: Session, unit: str, option: str) -> str:
    output: list[bytes] = []
    write: Callable[[bytes], object] = output.append
    try:
        session.backend.exec(unit, Execution(("id", option), stdout=write, timeout=30.0))
    except NotRunningError:
        return ""
    return b"".join(output)[:_SHORT].decode("ascii", "replace").strip()
