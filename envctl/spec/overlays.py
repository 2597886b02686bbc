"""What an overlay changes, by a look at its file: projects with thousands of environments need not resolve each."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from envctl.inside import InsideError, read_inside
from envctl.spec.names import overlay_file, with_files

_CHANGES: Final = re.compile(rb"services|base|vars|[\\&*<]")
"""What an overlay holds that may change services: those keys, escapes in a key, anchors."""
_EVERYWHERE: Final = frozenset({"base", "project", "vars"})
"""Keys that may change any part of any service."""
_OF_SERVICES: Final = frozenset({"base", "dockerfile", "extends", "image", "mounts", "packages"})
"""Keys of a service that say what it mounts and installs, or by which it may come to what another has."""


def alike(root: Path) -> dict[str, None]:
    """In order, the environments whose overlay files leave the packages and mounts of all services as the root file has them.

    One of which a look does not tell is left out.
    """
    return dict.fromkeys(name for name in with_files(root) if _is_plain(root, name))


def _is_plain(root: Path, environment: str) -> bool:
    file = overlay_file(environment)
    try:
        data = read_inside(root, file)
    except (OSError, InsideError):
        return False
    if not _CHANGES.search(data):
        return True
    from envctl.spec import reader
    from envctl.spec.tree import Table

    tree = reader.readable(data, file)
    if tree is None or _EVERYWHERE & set(tree):
        return False
    services = tree.get("services")
    return services is None or (
        isinstance(services, Table)
        and all(isinstance(one, Table) and not _OF_SERVICES & set(one) for one in services.values())
    )
