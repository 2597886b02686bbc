"""Fills in a template that may come from anybody: in Jinja's sandbox, within limits, with the places of errors.

An undefined name is an error, and an expression may output only text from a quoting function of its format.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from envctl.errors import EnvctlError, Place
from envctl.plan.artifact import Quoted

if TYPE_CHECKING:
    from jinja2 import Template
    from jinja2.sandbox import SandboxedEnvironment

OUTPUT: Final = 4 * 1024 * 1024
"""The maximum length of a filled template, in characters."""


class TakesTooLongError(Exception):
    """A template's time is up."""

    def __str__(self) -> str:
        return "takes too long to render"


class _TooLongError(Exception):
    """The output of a template is too long."""


def packaged_templates() -> Path:
    """Return the folder of envctl's own templates: in the wheel, or beside the package in the source tree."""
    package = Path(__file__).parents[1]
    installed = package / "_templates"
    return installed if installed.is_dir() else package.parent / "templates"


def fill(source: str, values: Mapping[str, Any], name: str) -> str:
    """Fill in a template in this process, without limits: plain Jinja, nothing is quoted."""
    environment = make_environment()

    def template() -> Template:
        code = environment.compile(source, name, name)
        return environment.template_class.from_code(
            environment, code, environment.make_globals(None)
        )

    return fill_template(template, values, name, None)


def make_environment(**options: Any) -> SandboxedEnvironment:
    """Return a sandbox in which an undefined name is an error."""
    import jinja2
    from jinja2.sandbox import SandboxedEnvironment

    return SandboxedEnvironment(
        undefined=jinja2.StrictUndefined, autoescape=False, keep_trailing_newline=True, **options
    )


def only_quoted(value: object) -> object:
    """Return the output of an expression. An error unless it was quoted for its file."""
    import jinja2

    if isinstance(value, Quoted | jinja2.Undefined):
        return value
    raise jinja2.TemplateRuntimeError(f"{value!r} is output without a quoting function around it")


def fill_template(load: Any, context: Mapping[str, Any], name: str, root: Path | None) -> str:
    """Return the template that `load` returns, filled in. EnvctlError, naming file and line, if it cannot be."""
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
        raise EnvctlError(f"the template is not valid: {exc.message}", where=where) from exc
    except SecurityError as exc:
        raise EnvctlError(f"a template may not do this: {exc}", where=_place(exc, root)) from exc
    except tuple(_TOO_MUCH) as exc:
        brief = next(text for kind, text in _TOO_MUCH.items() if isinstance(exc, kind))
        hint = "compute it in a `run` build step"
        raise EnvctlError(f"the template {brief}", hint=hint, where=_place(exc, root)) from exc
    except Exception as exc:
        raise EnvctlError(
            f"the template cannot be rendered: {exc}", where=_place(exc, root)
        ) from exc


_TOO_MUCH: Final[Mapping[type[Exception], str]] = {
    TakesTooLongError: "takes too long to render",
    MemoryError: "takes too much memory to render",
    RecursionError: "calls or includes itself endlessly",
    OverflowError: "computes a number or a text that is too large",
    _TooLongError: f"outputs more than {OUTPUT // 1024**2} MiB",
}


def _within_bounds(parts: Generator[str, None, None]) -> Iterator[str]:
    """Yield the output of a template, piece by piece. _TooLongError, at the template's line, if it is too long."""
    characters_left = OUTPUT
    for part in parts:
        characters_left -= len(part)
        if characters_left < 0:
            parts.throw(_TooLongError())
        yield part


def _place(exc: BaseException, root: Path | None) -> Place | None:
    """Return the innermost template line of a traceback (Jinja puts template lines in it)."""
    place = None
    trace = exc.__traceback__
    while trace:
        frame = trace.tb_frame
        if "__jinja_exception__" in frame.f_globals:
            place = Place(_shown(frame.f_code.co_filename, root), trace.tb_lineno, 1)
        trace = trace.tb_next
    return place


def _shown(file: str, root: Path | None) -> str:
    """Return a template's path for the user: relative to the project, or to envctl's own folder."""
    path = Path(file)
    for base in (root, packaged_templates().parent):
        if base and path.is_relative_to(base):
            return path.relative_to(base).as_posix()
    return file
