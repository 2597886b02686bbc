"""The templates of a project: its own first, then envctl's."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from envctl.errors import EnvctlError
from envctl.host.safe_read import read_inside, refuse_links
from envctl.render.safe_template import (
    fill_template,
    make_environment,
    only_quoted,
    packaged_templates,
)

if TYPE_CHECKING:
    from jinja2.sandbox import SandboxedEnvironment

_TEXT_SECONDS: Final = 0.5
"""CPU time for the text of a build step. Filling in some values takes milliseconds."""
_TEMPLATE_SECONDS: Final = 10.0
"""CPU time for a backend's template. A compose file of 1,000 services takes a second."""


def _packaged(name: str) -> tuple[Path, str]:
    """Return a folder of templates and a template's name in it: envctl's own folder, or that of a backend from outside."""
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
        """Return the template filled in. EnvctlError, naming file and line, if it cannot be.

        If the project has its own templates for the backend, another process does it, within limits.
        """
        folder = Path("templates", template).parts[:2]
        if self._root is None or not os.path.lexists(self._root.joinpath(*folder)):
            return self.render_here(template, context)
        from envctl.render.template_process import TEMPLATES, Request

        return TEMPLATES.fill(
            Request(template, dict(context), _TEMPLATE_SECONDS, root=str(self._root))
        )

    def render_here(self, template: str, context: Mapping[str, Any]) -> str:
        """Fill in a template in this process, without limits."""
        import jinja2

        if self._environment is None:
            self._environment = make_environment(
                loader=jinja2.FunctionLoader(self._loaded),
                trim_blocks=True,
                lstrip_blocks=True,
                finalize=only_quoted,
            )
        environment = self._environment
        return fill_template(
            lambda: environment.get_template(template), context, template, self._root
        )

    def _loaded(self, name: str) -> Any:
        """Return a template's text, its file, and whether that is still the same."""
        import jinja2

        environment: Any = self._environment
        text = _own_template(self._root, name) if self._root else None
        if self._root and text is not None:
            return text.decode("utf-8"), str(self._root / "templates" / name), lambda: True
        folder, below = _packaged(name)
        return jinja2.FileSystemLoader(folder).get_source(environment, below)


def _own_template(root: Path, name: str) -> bytes | None:
    """Return the content of a project's own template; None if it does not exist.

    The digest by which the user allows templates covers every template that can be loaded. So EnvctlError for a name that
    is not below `templates/` or does not end in .j2, and for a file behind a link or that is not a regular file.
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
    """Return a digest of the project's own templates for images; "" if it has none."""
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
            # Templates are never loaded through a folder that is a link.
            if name in roles.outside_images or (file.parent != folder and file.parent.is_symlink()):
                continue
            text = _own_template(root, f"{part}/{name}")
            if text is not None:
                # Line ends do not count: the filled text has the same ones in every checkout.
                content = hashlib.sha256(text.replace(b"\r\n", b"\n")).hexdigest()
                summary.update(f"{content} {part}/{name}\n".encode())
                any_own = True
    return summary.hexdigest() if any_own else ""


def render_text(source: str, values: Mapping[str, Any], name: str) -> str:
    """Return a project's own text (a `template` build step) filled in, in another process and within limits.

    `name` is the file's, for the error's place.
    """
    from envctl.render.template_process import TEMPLATES, Request

    return TEMPLATES.fill(Request(name, dict(values), _TEXT_SECONDS, source))
