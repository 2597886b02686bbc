"""What a resolved spec uses on this host: the sources of its secrets, and its mounts. Needs no plan."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace

from envctl.definition.resolved import Resolved
from envctl.errors import EnvctlError
from envctl.secrets.sources import own_path, real_place, variable_value
from envctl.trust.host_access import Mounted, SecretSource


def secret_sources(resolved: Resolved, environ: Mapping[str, str]) -> Mapping[str, SecretSource]:
    """The sources of secrets; for a file outside the project, also its present target."""
    root, sources = resolved.root, {}
    for name, secret in resolved.data["secrets"].items():
        file = secret["file"] or ""
        outside = bool(file) and own_path(root, file) is None
        sources[name] = SecretSource(
            (secret["env"] or "") if variable_value(secret, environ) is not None else "",
            tuple(secret["command"] or ()),
            file if outside else "",
            real_place(root, file) if outside else None,
            resolved.where("secrets", name),
        )
    return sources


def mounted(resolved: Resolved) -> Iterator[Mounted]:
    """The files and folders of this host that services mount."""
    for name, service in resolved.data["services"].items():
        for index, mount in enumerate(service["mounts"]):
            yield Mounted(
                resolved.data["environment"],
                name,
                str(real_place(resolved.root, mount["source"])),
                mount["target"],
                mount["read_only"],
                resolved.where("services", name, "mounts", index),
            )


def mounted_by(
    environments: Iterable[str], load: Callable[[str], Resolved], *, alike: Collection[str]
) -> Iterator[Mounted]:
    """What these environments mount, if their specs can be read. Of those in `alike`, only one is read."""
    shared: tuple[Mounted, ...] | None = None
    for name in environments:
        with suppress(EnvctlError):
            if name not in alike:
                yield from mounted(load(name))
                continue
            if shared is None:
                shared = tuple(mounted(load(name)))
            yield from (replace(mount, environment=name) for mount in shared)
