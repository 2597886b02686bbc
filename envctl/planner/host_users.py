"""Decides which users of services get the uid and gid of the project folder's owner, so that files they write there belong to the owner."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from envctl.host.links import followed

if TYPE_CHECKING:
    from envctl.definition.keys.service import ServiceData


def owner_of(root: Path) -> tuple[int, int] | None:
    """Return the uid and gid of the project folder's owner. None if that is root: a service must not become root by accident."""
    status = root.stat()
    return (status.st_uid, status.st_gid) if status.st_uid else None


def host_users(services: Mapping[str, ServiceData], root: Path) -> frozenset[str]:
    """Return the names of these users: the spec says so, or a service of theirs can write to a mount of the project.

    Users of one name are one user, whichever service they are of.
    """
    names: set[str] = set()
    fixed: set[str] = set()
    for service_name, service in services.items():
        user = service["user"]
        name = (user["name"] if user is not None else "") or service_name
        if user is not None and user["uid"] is not None:
            (names if user["uid"] == "host" else fixed).add(name)
        elif service["base"] is not None and _can_write_to_project(service, root):
            names.add(name)
    return frozenset(names - fixed)


def _can_write_to_project(service: ServiceData, root: Path) -> bool:
    home = followed(root)
    return any(
        not mount["read_only"] and followed(root / mount["source"]).is_relative_to(home)
        for mount in service["mounts"]
    )
