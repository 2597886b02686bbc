"""Backends run environments. Each is an entry point: a folder here, one in `templates/`, a line in pyproject.toml."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from envctl.errors import EnvctlError, Place, Problem, SpecError, UsageError
from envctl.plan.target import DEFAULT_BACKEND
from envctl.suggest import did_you_mean

if TYPE_CHECKING:
    from envctl.backends.base import Backend, Capabilities, Context, ImageEngine, TemplateRoles
    from envctl.doctor.findings import Finding
    from envctl.doctor.host import Host

GROUP = "envctl.backends"
"""The entry point group of backends: envctl's own, and those of other packages."""


def backend_names() -> tuple[str, ...]:
    """The names of all installed backends."""
    return tuple(sorted(_all_targets()))


def is_backend(name: str) -> bool:
    """Whether a backend of this name is installed."""
    return _target(name) is not None


def require_backend(name: str) -> None:
    """UsageError unless a backend of this name is installed."""
    if not is_backend(name):
        raise _unknown(name, backend_names(), None)


def open_backend(name: str, context: Context, *, where: Place | None = None) -> Backend:
    """Create a backend. It does not connect to its engine yet.

    UsageError for an unknown name; SpecError if `where` is the place in the spec that has the name.
    """
    backend: Backend = _backend_class(name, where=where)(context)
    return backend


def open_engine(context: Context) -> ImageEngine:
    """The container engine that builds images, whatever the backend of an environment."""
    return cast("ImageEngine", open_backend(DEFAULT_BACKEND, context))


def backend_templates(name: str) -> Path | None:
    """The folder `templates` beside a backend's module, used by external packages. None if it does not exist."""
    from importlib.util import find_spec

    target = _target(name)
    spec = find_spec(target.partition(":")[0]) if target else None
    folder = Path(spec.origin).parent / "templates" if spec and spec.origin else None
    return folder if folder and folder.is_dir() else None


def template_roles(name: str) -> TemplateRoles | None:
    """How a backend's templates are used; None if it does not say, or if the backend is unknown."""
    if not is_backend(name):
        return None
    capabilities: Capabilities | None = getattr(_backend_class(name), "capabilities", None)
    return capabilities.templates if capabilities else None


def backend_findings(name: str, host: Host, *, images_only: bool = False) -> Sequence[Finding]:
    """The findings of a backend on this machine; () if it has no checks. UsageError for an unknown backend.

    With `images_only`, only the requirements for building images.
    """
    from envctl.backends.base import HostChecks

    backend = _backend_class(name)
    return (
        backend.host_findings(host, images_only=images_only)
        if isinstance(backend, HostChecks)
        else ()
    )


def image_engine_findings(host: Host) -> Sequence[Finding]:
    """The findings about building images, for backends that start from images."""
    return backend_findings(DEFAULT_BACKEND, host, images_only=True)


def _backend_class(name: str, *, where: Place | None = None) -> Any:
    """The class of a backend. Its constructor takes a context."""
    from importlib import import_module

    target = _target(name)
    if target is None:
        raise _unknown(name, backend_names(), where)
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)


def _target(name: str) -> str | None:
    """A backend's entry point, "module:class"; None if the backend is unknown."""
    from envctl.backends.entry_points import envctl_entry_points

    # Reading the entry points of all packages takes longer than most commands.
    return envctl_entry_points(GROUP).get(name) or _all_targets().get(name)


def _all_targets() -> Mapping[str, str]:
    from importlib.metadata import entry_points

    return {entry.name: entry.value for entry in entry_points(group=GROUP)}


def _unknown(name: str, known: Iterable[str], where: Place | None) -> EnvctlError:
    message, hint = f"no such backend: {name!r}", did_you_mean(name, known)
    if where is None:
        return UsageError(message, hint=hint)
    return SpecError((Problem(where, message, hint=hint),))
