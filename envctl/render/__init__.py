"""Plan and templates to files: the only module that knows Jinja.

Templates are data, not code: they run in Jinja's sandbox, an undefined name is an error, and an
expression may only put out text that one of its format's quoting functions returned.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from envctl.errors import EnvctlError, Place
from envctl.host.atomic_write import have_mode
from envctl.host.links import alike, followed, ignores_case
from envctl.host.safe_read import FILE, PlannedFiles, read_inside, refuse_links
from envctl.host.source_tree import EntryKind, SourceEntry
from envctl.lazy_dataclass import dataclass
from envctl.plan.artifact import Artifact, Quoted

if TYPE_CHECKING:
    from jinja2 import Template
    from jinja2.sandbox import SandboxedEnvironment

MARKER: Final = ".envctl-render"
OUTPUT: Final = 4 * 1024 * 1024
"""Characters that a filled template may have."""

_CHUNK: Final = 1 << 20
_NEVER: Final = frozenset({errno.ENOSYS, errno.EPERM, errno.EOPNOTSUPP, errno.EIO})
"""What a disk answers that has no links or pipes."""
_OURS: Final = f"{os.getpid()}-{time.time_ns():x}"
"""Part of the names of files that take the place of others once they are whole."""
_TEXT_SECONDS: Final = 0.5
"""Of the processor, for the text of a build step: it has some values to put in, which takes milliseconds."""
_TEMPLATE_SECONDS: Final = 10.0
"""Of the processor, for a backend's template: a compose file of 1,000 services takes a second."""


class TakesTooLongError(Exception):
    """A template's time is up."""

    def __str__(self) -> str:
        return "takes too long to fill in"


class _TooLongError(Exception):
    """A template has put out too much."""


def packaged_templates() -> Path:
    """The folder of envctl's own templates: in the wheel, or beside the package in the source tree."""
    package = Path(__file__).parents[1]
    installed = package / "_templates"
    return installed if installed.is_dir() else package.parent / "templates"


def _packaged(name: str) -> tuple[Path, str]:
    """A folder of templates and a template's name in it: envctl's own folder, or that of a backend from outside."""
    from envctl.backends import backend_templates

    backend, _, below = name.partition("/")
    if not (packaged_templates() / backend).is_dir() and (folder := backend_templates(backend)):
        return folder, below
    return packaged_templates(), name


class Templates:
    """The templates of a project: its own `templates/` first, then envctl's, or those of the backend's package."""

    def __init__(self, root: Path | None) -> None:
        self._root = root
        self._environment: SandboxedEnvironment | None = None

    def render(self, template: str, context: Mapping[str, Any]) -> str:
        """The template filled in. EnvctlError, naming file and line, if it cannot be.

        Where the project has templates of its own for the backend, that is done in another process, within limits.
        """
        folder = Path("templates", template).parts[:2]
        if self._root is None or not os.path.lexists(self._root.joinpath(*folder)):
            return self.render_here(template, context)
        from envctl.render.template_process import TEMPLATES, Request

        return TEMPLATES.fill(
            Request(template, dict(context), _TEMPLATE_SECONDS, root=str(self._root))
        )

    def render_here(self, template: str, context: Mapping[str, Any]) -> str:
        """The same in this process, whatever it takes."""
        import jinja2

        if self._environment is None:
            self._environment = _environment(
                loader=jinja2.FunctionLoader(self._loaded),
                trim_blocks=True,
                lstrip_blocks=True,
                finalize=_only_quoted,
            )
        environment = self._environment
        return _rendered(lambda: environment.get_template(template), context, template, self._root)

    def _loaded(self, name: str) -> Any:
        """A template's text, its file, and whether that is still the same."""
        import jinja2

        environment: Any = self._environment
        text = _own_template(self._root, name) if self._root else None
        if self._root and text is not None:
            return text.decode("utf-8"), str(self._root / "templates" / name), lambda: True
        folder, below = _packaged(name)
        return jinja2.FileSystemLoader(folder).get_source(environment, below)


def _own_template(root: Path, name: str) -> bytes | None:
    """The content of a project's own template; None if it has none of that name.

    All that can be loaded is in the digest by which the user allows templates: EnvctlError for a name that is not
    below `templates/` or does not end in .j2, and for what is reached through a link or is no regular file.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or path.suffix != ".j2":
        raise EnvctlError(
            f"{name} is not a template",
            hint="include files below templates/ whose names end in .j2",
        )
    file = Path("templates", path)
    refuse_links(root, file)
    try:
        return read_inside(root, file)
    except FileNotFoundError:
        return None


def own_templates_digest(root: Path) -> str:
    """A digest of the project's own templates that images are made from; "" if it has none."""
    from envctl.backends import backend_names, template_roles

    summary, any_own = hashlib.sha256(), False
    for part in backend_names() if os.path.lexists(root / "templates") else ():
        folder = root / "templates" / part
        roles = template_roles(part) if os.path.lexists(folder) else None
        if roles is None:
            continue
        refuse_links(root, Path("templates", part))
        for file in sorted([*folder.glob("*.j2"), *folder.glob("*/*.j2")]):
            name = file.relative_to(folder).as_posix()
            # Nothing is loaded through a folder that is a link.
            if name in roles.outside_images or (file.parent != folder and file.parent.is_symlink()):
                continue
            text = _own_template(root, f"{part}/{name}")
            if text is not None:
                # Line ends are no part of it: what is filled in has the same in every checkout.
                content = hashlib.sha256(text.replace(b"\r\n", b"\n")).hexdigest()
                summary.update(f"{content} {part}/{name}\n".encode())
                any_own = True
    return summary.hexdigest() if any_own else ""


def render_text(source: str, values: Mapping[str, Any], name: str) -> str:
    """A project's own text (a `template` build step) filled in, in another process and within limits.

    `name` is the file's, for the error's place.
    """
    from envctl.render.template_process import TEMPLATES, Request

    return TEMPLATES.fill(Request(name, dict(values), _TEXT_SECONDS, source))


def fill(source: str, values: Mapping[str, Any], name: str) -> str:
    """The same in this process, whatever it takes: plain Jinja, nothing is quoted."""
    environment = _environment()

    def template() -> Template:
        code = environment.compile(source, name, name)
        return environment.template_class.from_code(
            environment, code, environment.make_globals(None)
        )

    return _rendered(template, values, name, None)


def _environment(**options: Any) -> SandboxedEnvironment:
    import jinja2
    from jinja2.sandbox import SandboxedEnvironment

    return SandboxedEnvironment(
        undefined=jinja2.StrictUndefined, autoescape=False, keep_trailing_newline=True, **options
    )


def _only_quoted(value: object) -> object:
    """What an expression puts out: nothing that was not quoted for the file it goes to."""
    import jinja2

    if isinstance(value, Quoted | jinja2.Undefined):
        return value
    raise jinja2.TemplateRuntimeError(f"{value!r} is put out without a quoting function around it")


def _rendered(load: Any, context: Mapping[str, Any], name: str, root: Path | None) -> str:
    import jinja2
    from jinja2.exceptions import SecurityError

    try:
        return "".join(_within_bounds(cast("Generator[str, None, None]", load().generate(context))))
    except EnvctlError as exc:
        exc.where = exc.where or _place(exc, root)
        raise
    except jinja2.TemplateNotFound as exc:
        raise EnvctlError(f"there is no template {exc.name}", where=_place(exc, root)) from exc
    except jinja2.TemplateSyntaxError as exc:
        where = Place(_shown(exc.filename or name, root), exc.lineno, 1)
        raise EnvctlError(f"the template is ill-formed: {exc.message}", where=where) from exc
    except SecurityError as exc:
        raise EnvctlError(f"a template may not do this: {exc}", where=_place(exc, root)) from exc
    except tuple(_TOO_MUCH) as exc:
        brief = next(text for kind, text in _TOO_MUCH.items() if isinstance(exc, kind))
        hint = "have a `run` build step compute what is to be computed"
        raise EnvctlError(f"the template {brief}", hint=hint, where=_place(exc, root)) from exc
    except Exception as exc:
        raise EnvctlError(
            f"the template cannot be filled in: {exc}", where=_place(exc, root)
        ) from exc


_TOO_MUCH: Final[Mapping[type[Exception], str]] = {
    TakesTooLongError: "takes too long to fill in",
    MemoryError: "takes too much memory to fill in",
    RecursionError: "calls or includes itself without end",
    OverflowError: "computes a number or a text that is too large",
    _TooLongError: f"puts out more than {OUTPUT // 1024**2} MiB",
}


def _within_bounds(parts: Generator[str, None, None]) -> Iterator[str]:
    """What a template puts out, piece by piece. _TooLongError, from the template's line, when it is too much."""
    room = OUTPUT
    for part in parts:
        room -= len(part)
        if room < 0:
            parts.throw(_TooLongError())
        yield part


def _place(exc: BaseException, root: Path | None) -> Place | None:
    """The innermost template line of a traceback (Jinja puts template lines in it)."""
    place = None
    trace = exc.__traceback__
    while trace:
        frame = trace.tb_frame
        if "__jinja_exception__" in frame.f_globals:
            place = Place(_shown(frame.f_code.co_filename, root), trace.tb_lineno, 1)
        trace = trace.tb_next
    return place


def _shown(file: str, root: Path | None) -> str:
    """A template's path as a user names it: from the project, or from envctl's own folder."""
    path = Path(file)
    for base in (root, packaged_templates().parent):
        if base and path.is_relative_to(base):
            return path.relative_to(base).as_posix()
    return file


# --- the rendered folder --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Copied:
    """What is copied from the project: `entry`, which is at `source` there."""

    source: str
    entry: SourceEntry


Content: TypeAlias = bytes | Copied


def render(artifacts: Iterable[Artifact], *, templates: Templates) -> Mapping[str, Content]:
    """What is in a rendered folder by path; the same for the same plan, to the byte."""
    return {
        artifact.path: Copied(artifact.copy_of, artifact.entry)
        if artifact.entry
        else templates.render(artifact.template, artifact.context).encode("utf-8")
        for artifact in artifacts
    }


def modes(artifacts: Iterable[Artifact]) -> Mapping[str, int]:
    """What permission bits those are to have, whatever umask or checkout left on the sources."""
    return {artifact.path: artifact.mode for artifact in artifacts}


def write(
    files: Mapping[str, Content],
    folder: Path,
    *,
    root: Path,
    modes: Mapping[str, int] | None = None,
) -> Sequence[str]:
    """Write a rendered folder; files of a former render that are no longer made are removed. What is to be said of it.

    Each file is replaced in one step. A list in the folder says which files are ours: others are left alone, and a
    folder that has files but no such list is refused. EnvctlError if one of the project at `root` changed meanwhile.
    """
    former = _former(folder)
    _insist_inside(folder, [*files, *former])
    folder.mkdir(parents=True, exist_ok=True)
    insist_apart(folder, files)
    _replace(folder / MARKER, _listing({*former, *files}), 0o644)
    for path in sorted(set(former) - set(files), reverse=True):
        _remove(folder, path)
    _have_parents(folder, files)
    with PlannedFiles(root) as project:
        for path, content in files.items():
            mode = (modes or {}).get(path, 0o644)
            try:
                if isinstance(content, bytes):
                    _replace(folder / path, content, mode)
                else:
                    _copy(project, content, f"{folder}/{path}", mode)
            except OSError as error:
                reason = error.strerror or error
                raise EnvctlError(f"{folder}/{path} cannot be written: {reason}") from error
    _replace(folder / MARKER, _listing(files), 0o644)
    if stat.S_IMODE((folder / MARKER).stat().st_mode) == 0o644:
        return ()
    note = (
        f"the disk of {folder} keeps no permissions: builds from it differ from those of the project, and who can"
        " read the disk can read all that is rendered; render to another disk"
    )
    return (note,)


def insist_apart(folder: Path, paths: Iterable[str]) -> None:
    """EnvctlError if two of the names differ in case only, and the disk of the folder takes them for one."""
    spelt: dict[str, str] = {}
    for path in paths:
        while path:
            other = spelt.setdefault(alike(path), path)
            if other != path:
                _insist_on_case(folder, other, path)
                return
            path = path.rpartition("/")[0]  # noqa: PLW2901 - then each folder that it is in


def _insist_on_case(folder: Path, one: str, other: str) -> None:
    with tempfile.TemporaryDirectory(dir=folder, prefix=".envctl-case-") as probe:
        if ignores_case(Path(probe)):
            raise EnvctlError(
                f"{one} and {other} cannot both be in {folder}: its disk ignores case",
                hint="render to another disk, or rename one of them",
            )


def _have_parents(folder: Path, paths: Iterable[str]) -> None:
    for parent in dict.fromkeys(path.rpartition("/")[0] for path in paths):
        (folder / parent).mkdir(parents=True, exist_ok=True)


def _listing(paths: Iterable[str]) -> bytes:
    return os.fsencode("".join(f"{path}\n" for path in sorted(paths)))


def _former(folder: Path) -> Sequence[str]:
    """The files of the last render."""
    if (folder / MARKER).is_file():
        listed = os.fsdecode((folder / MARKER).read_bytes()).split("\n")
        return [path for path in listed if path and _is_plain(path)]
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise EnvctlError(
            f"{folder} is not empty and was not made by envctl render",
            hint="name a new or empty folder",
        )
    return []


def _is_plain(path: str) -> bool:
    return not path.startswith("/") and ".." not in path.split("/")


def _insist_inside(folder: Path, paths: Iterable[str]) -> None:
    """EnvctlError unless all rendered files of these paths lie in the folder, links followed."""
    top = followed(folder)
    parents: dict[str, str] = {}
    for path in paths:
        if "\n" in path:
            raise EnvctlError(
                f"{path!r} cannot be rendered: a line break in a file's name",
                hint="rename it, or exclude it from the copy",
            )
        parents.setdefault(path.rpartition("/")[0], path)
    for parent, path in parents.items():
        if not _is_plain(path) or not followed(folder / parent).is_relative_to(top):
            raise EnvctlError(f"{path!r} lies outside {folder}", hint="render into a new folder")


def _replace(target: Path, content: bytes, mode: int) -> None:
    """Make the file be this, in one step, unless it is already."""
    if target.is_file() and not target.is_symlink() and target.read_bytes() == content:
        have_mode(target, mode)
        return
    with _fresh(str(target)) as fresh, _created(fresh, mode) as file:
        file.write(content)


def _copy(project: PlannedFiles, copied: Copied, target: str, mode: int) -> None:
    """Have something of the project there: a folder as one that can be written to, so that it can be rendered again."""
    entry = copied.entry
    if entry.kind is EntryKind.FOLDER:
        _fold(Path(target), mode | 0o700)
    elif entry.kind is EntryKind.LINK:
        with _fresh(target) as fresh, _had_by_disk(target, "links"):
            os.symlink(entry.digest, fresh)  # noqa: PTH211 - here strings are quicker
    elif entry.kind is EntryKind.PIPE:
        with _fresh(target) as fresh, _had_by_disk(target, "pipes"):
            os.mkfifo(fresh, mode)
    elif not _is_there(target, entry, mode):
        with _fresh(target) as fresh, _created(fresh, mode) as file:
            if entry.size <= _CHUNK:
                file.write(project.content(copied.source, entry))
            else:
                with project.opened(copied.source, entry) as content:
                    while data := content.read(_CHUNK):
                        file.write(data)
            os.utime(file.fileno(), (entry.time, entry.time))


@contextmanager
def _had_by_disk(target: str, what: str) -> Iterator[None]:
    """EnvctlError if the disk cannot have such things."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NEVER:
            raise
        raise EnvctlError(
            f"{target} cannot be made: its disk cannot have {what} ({error.strerror})",
            hint="render to another disk, or leave it out, by the `exclude` of the copy or in an ignore file",
        ) from error


def _is_there(target: str, entry: SourceEntry, mode: int) -> bool:
    """Whether the file is what it should be already: to replace one takes a disk a millisecond."""
    try:
        found = os.lstat(target)
        if (found.st_mode, found.st_size, found.st_mtime) != (
            stat.S_IFREG | mode,
            entry.size,
            entry.time,
        ):
            return False
        with open(target, "rb", buffering=0, opener=_unfollowed) as file:
            if entry.size <= _CHUNK:
                return hashlib.sha256(file.read(_CHUNK)).hexdigest() == entry.digest
            return hashlib.file_digest(file, "sha256").hexdigest() == entry.digest
    except OSError:
        return False


def _unfollowed(path: str, flags: int) -> int:
    return os.open(path, flags | FILE)


@contextmanager
def _created(path: str, mode: int) -> Iterator[FileIO]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with FileIO(descriptor, "wb") as file:
        yield file
        if stat.S_IMODE(os.fstat(descriptor).st_mode) != mode:
            have_mode(descriptor, mode)


def _fold(target: Path, mode: int) -> None:
    if target.is_symlink() or not target.is_dir():
        target.unlink(missing_ok=True)
        target.mkdir(parents=True)
    have_mode(target, mode)


@contextmanager
def _fresh(target: str) -> Iterator[str]:
    """A path beside the target for what then takes its place."""
    fresh = f"{target.rpartition('/')[0]}/.envctl-{_OURS}"
    try:
        yield fresh
        os.replace(fresh, target)  # noqa: PTH105
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(fresh)  # noqa: PTH108
        raise


def _remove(folder: Path, path: str) -> None:
    """Remove a file or an empty folder, and the folders that are empty without it."""
    target = folder / path
    if target.is_dir() and not target.is_symlink():
        if not any(target.iterdir()):
            target.rmdir()
    else:
        target.unlink(missing_ok=True)
    for parent in target.parents:
        if parent == folder or parent.is_symlink() or not parent.is_dir() or any(parent.iterdir()):
            return
        parent.rmdir()
