"""Where environments run. A third backend is one folder here and one in `templates/`, nothing else."""

from __future__ import annotations

from envctl.backends.base import Backend, Context
from envctl.errors import UsageError

GROUP = "envctl.backends"
"""The entry point group through which others ship a backend."""

_OWN = {
    "docker": ("envctl.backends.docker", "DockerBackend"),
    "memory": ("envctl.backends.memory", "MemoryBackend"),
    "vagrant": ("envctl.backends.vagrant", "VagrantBackend"),
}


def open_backend(name: str, context: Context) -> Backend:
    """The backend of that name, not yet connected to anything. UsageError if there is none."""
    from importlib import import_module

    if name in _OWN:
        module, attribute = _OWN[name]
        own: Backend = getattr(import_module(module), attribute)(context)
        return own
    from importlib.metadata import entry_points

    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    if name not in found:
        known = ", ".join(sorted({*_OWN, *found}))
        raise UsageError(f"there is no backend {name!r}", hint=f"there is {known}")
    shipped: Backend = found[name].load()(context)
    return shipped
