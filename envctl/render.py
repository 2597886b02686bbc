"""Plan and templates to files: the only module that knows Jinja.

Templates are data, not code: they run in Jinja's sandbox, an undefined name is an error, and an
expression may only put out text that one of its format's quoting functions returned.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final, cast

from envctl.errors import EnvctlError, Place
from envctl.inside import read_inside, refuse_links
from envctl.plan.artifact import Artifact, Quoted

if TYPE_CHECKING:
    from jinja2 import Template
    from jinja2.sandbox import SandboxedEnvironment

MARKER: Final = ".envctl-render"

OUTPUT: Final = 4 * 1024 * 1024
"""Characters that a filled template may have."""

_BUILDING: Final = ("docker", "vagrant")
"""The folders of templates that images and boxes are made from."""
_NO_IMAGES: Final = frozenset(
    {
        "README.md.j2",
        "compose.yaml.j2",
        "Vagrantfile.j2",
        "rendered.Vagrantfile.j2",
        "envctl.rb.j2",
        "machine.sh.j2",
        "container.sh.j2",
        "start.sh.j2",
    }
)
"""What of those folders goes into rendered folders or tells of a running machine, and is in no image."""


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
    package = Path(__file__).parent
    installed = package / "_templates"
    return installed if installed.is_dir() else package.parent / "templates"


class Templates:
    """The templates of a project: its own `templates/` first, then envctl's."""

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
        from envctl.template_process import TEMPLATES, Request

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
        return jinja2.FileSystemLoader(packaged_templates()).get_source(environment, name)


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
    summary, any_own = hashlib.sha256(), False
    for part in _BUILDING:
        refuse_links(root, Path("templates", part))
        folder = root / "templates" / part
        for file in sorted([*folder.glob("*.j2"), *folder.glob("*/*.j2")]):
            name = file.relative_to(folder).as_posix()
            # Nothing is loaded through a folder that is a link.
            if name in _NO_IMAGES or (file.parent != folder and file.parent.is_symlink()):
                continue
            text = _own_template(root, f"{part}/{name}")
            if text is not None:
                content = hashlib.sha256(text).hexdigest()
                summary.update(f"{content} {part}/{name}\n".encode())
                any_own = True
    return summary.hexdigest() if any_own else ""


def render_text(source: str, values: Mapping[str, Any], name: str) -> str:
    """A project's own text (a `template` build step) filled in, in another process and within limits.

    `name` is the file's, for the error's place.
    """
    from envctl.template_process import TEMPLATES, Request

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


def render(
    artifacts: Iterable[Artifact], *, templates: Templates, root: Path
) -> Mapping[str, bytes]:
    """The files of a rendered folder by path; the same for the same plan, to the byte.

    A copied symbolic link stays one: its content is where it leads.
    """
    return {
        artifact.path: _copied(root, artifact.copy_of)
        if artifact.copy_of
        else templates.render(artifact.template, artifact.context).encode("utf-8")
        for artifact in artifacts
    }


def modes(artifacts: Iterable[Artifact], *, root: Path) -> Mapping[str, int]:
    """What those files are to be: permission bits, whatever umask or checkout left on the sources.

    An artifact's mode None is 0o755 for a copy of an executable, else 0o644; a link has S_IFLNK set.
    """
    return {artifact.path: _mode(root, artifact) for artifact in artifacts}


def _mode(root: Path, artifact: Artifact) -> int:
    if not artifact.copy_of:
        return 0o644 if artifact.mode is None else artifact.mode
    source = _project_file(root, artifact.copy_of)
    if source.is_symlink():
        return stat.S_IFLNK | 0o777
    if artifact.mode is not None:
        return artifact.mode
    return 0o755 if source.stat().st_mode & stat.S_IXUSR else 0o644


def _copied(root: Path, path: str) -> bytes:
    source = _project_file(root, path)
    return os.fsencode(source.readlink()) if source.is_symlink() else source.read_bytes()


def _project_file(root: Path, path: str) -> Path:
    """A file of the project. EnvctlError if it is not there, or lies elsewhere by `..` or a link."""
    found = root / path
    try:
        real = found.resolve(strict=True)
    except OSError as exc:
        raise EnvctlError(f"{path} cannot be read: {exc.strerror}") from exc
    if not real.is_relative_to(root.resolve()):
        raise EnvctlError(f"{path} is outside the project", hint="copy it into the project")
    return found


def write(
    files: Mapping[str, bytes], folder: Path, *, modes: Mapping[str, int] | None = None
) -> None:
    """Write a rendered folder; files of a former render that are no longer made are removed.

    Each file is replaced in one step and only if it differs. A list in the folder says which files
    are ours: others are left alone, and a folder that has files but no such list is refused.
    """
    former = _former(folder)
    for path in (*files, *former):
        _inside(folder, path)
    folder.mkdir(parents=True, exist_ok=True)
    _replace(folder / MARKER, _listing({*former, *files}), 0o644)
    for path in sorted(set(former) - set(files)):
        _remove(folder, path)
    for path, content in files.items():
        _replace(folder / path, content, (modes or {}).get(path, 0o644))
    _replace(folder / MARKER, _listing(files), 0o644)


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
    pure = PurePosixPath(path)
    return not pure.is_absolute() and ".." not in pure.parts


def _inside(folder: Path, path: str) -> None:
    """EnvctlError unless a rendered file of this path lies in the folder, links followed."""
    if "\n" in path:
        raise EnvctlError(
            f"{path!r} cannot be rendered: a line break in a file's name",
            hint="rename it, or exclude it from the copy",
        )
    target = (folder / path).parent.resolve()
    if not _is_plain(path) or not target.is_relative_to(folder.resolve()):
        raise EnvctlError(f"{path!r} lies outside {folder}", hint="render into a new folder")


def _replace(target: Path, content: bytes, mode: int) -> None:
    """Make the file be this, in one step, unless it is already."""
    link = stat.S_ISLNK(mode)
    if not link and target.is_file() and not target.is_symlink() and target.read_bytes() == content:
        target.chmod(mode)
        return
    import tempfile

    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".envctl-") as folder:
        fresh = Path(folder, "fresh")
        if link:
            fresh.symlink_to(os.fsdecode(content))
        else:
            fresh.write_bytes(content)
            fresh.chmod(mode)
        fresh.replace(target)


def _remove(folder: Path, path: str) -> None:
    """Remove a file, and the folders that are empty without it."""
    (folder / path).unlink(missing_ok=True)
    for parent in (folder / path).parents:
        if parent == folder or parent.is_symlink() or not parent.is_dir() or any(parent.iterdir()):
            return
        parent.rmdir()
