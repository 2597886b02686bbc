"""The commands `envctl base list`, `build` and `inspect`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from envctl.bases.catalogue import CATALOGUE, resolve_name
from envctl.bases.ensure import ensure
from envctl.bases.image_store import LABEL, AvailableBase, ImageStore
from envctl.bases.manifest import digest, parse_status
from envctl.errors import EnvctlError
from envctl.lazy_dataclass import dataclass
from envctl.plan.model import Base
from envctl.progress import Report

STATUS = "/var/lib/dpkg/status"


@dataclass(frozen=True, slots=True)
class BaseRow:
    """A base of the catalogue and its local image; without one, the image's fields are empty.

    `size` is in bytes, `created` RFC 3339, `how` "bootstrapped" or "pulled or loaded".
    """

    name: str
    suite: str
    here: bool
    id: str = ""
    size: int = 0
    created: str = ""
    how: str = ""


def listing(store: ImageStore) -> tuple[BaseRow, ...]:
    """Return all bases of the catalogue, in order."""
    return tuple(_row(name, store.info(name)) for name in CATALOGUE)


def _row(name: str, info: Mapping[str, Any] | None) -> BaseRow:
    suite = CATALOGUE[name].suite
    if info is None:
        return BaseRow(name, suite, here=False)
    return BaseRow(
        name,
        suite,
        here=True,
        id=info["id"],
        size=info["size"],
        created=info["created"],
        how=_how(info),
    )


def _how(info: Mapping[str, Any]) -> str:
    return "bootstrapped" if LABEL in (info.get("labels") or {}) else "pulled or loaded"


def build(
    name: str, store: ImageStore, report: Report, *, snapshot: str = "", force: bool = False
) -> AvailableBase:
    """Make the base available; with `force`, bootstrap it again. EnvctlError for an unknown name."""
    from envctl.bases.catalogue import image_for

    entry = resolve_name(name)
    snapshot = snapshot.rstrip("/")
    base = Base(entry.name, image_for(entry.name, snapshot), snapshot=snapshot)
    return ensure(base, store, report, force=force)


def inspect(name: str, store: ImageStore) -> dict[str, Any]:
    """Return the details of a base's local image, as data. EnvctlError if it does not exist.

    Keys: `name, id, size, created, how, labels, manifest, packages`; `packages` maps names to
    versions and is read from the image itself, `manifest` is their digest.
    """
    info = store.info(name)
    if info is None:
        entry = resolve_name(name)
        raise EnvctlError(
            f"the base {entry.name} has no local image yet", hint=f"envctl base build {entry.name}"
        )
    packages = parse_status(store.read_file(name, STATUS).decode("utf-8", "replace"))
    return {
        "name": name,
        "id": info["id"],
        "size": info["size"],
        "created": info["created"],
        "how": _how(info),
        "labels": dict(sorted((info.get("labels") or {}).items())),
        "manifest": digest(packages),
        "packages": packages,
    }
