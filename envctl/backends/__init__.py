"""Where environments run. A third backend is one folder here and one in `templates/`, nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from envctl.errors import EnvctlError, Place, Problem, SpecError, UsageError
from envctl.suggest import did_you_mean

if TYPE_CHECKING:
    from envctl.backends.base import Backend, Context

GROUP = "envctl.backends"
"""The entry point group through which others ship a backend."""

_OWN = {
    "docker": ("envctl.backends.docker", "DockerBackend"),
    "memory": ("envctl.backends.memory", "MemoryBackend"),
    "vagrant": ("envctl.backends.vagrant", "VagrantBackend"),
}


def backend_names() -> tuple[str, ...]:
    """All backends that there are."""
    from importlib.metadata import entry_points

    return tuple(sorted({*_OWN, *(entry.name for entry in entry_points(group=GROUP))}))


def is_backend(name: str) -> bool:
    """Whether there is a backend of that name."""
    return name in _OWN or name in backend_names()


def insist(name: str) -> None:
    """UsageError unless there is a backend of that name."""
    if not is_backend(name):
        raise _unknown(name, backend_names(), None)


def open_backend(name: str, context: Context, *, where: Place | None = None) -> Backend:
    """The backend of that name, not yet connected to anything.

    UsageError if there is none; SpecError if `where` is the place in the spec that names it.
    """
    from importlib import import_module

    if name in _OWN:
        module, attribute = _OWN[name]
        own: Backend = getattr(import_module(module), attribute)(context)
        return own
    from importlib.metadata import entry_points

    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    if name not in found:
        raise _unknown(name, {*_OWN, *found}, where)
    shipped: Backend = found[name].load()(context)
    return shipped


def _unknown(name: str, known: Iterable[str], where: Place | None) -> EnvctlError:
    message, hint = f"there is no backend {name!r}", did_you_mean(name, known)
    if where is None:
        return UsageError(message, hint=hint)
    return SpecError((Problem(where, message, hint=hint),))
