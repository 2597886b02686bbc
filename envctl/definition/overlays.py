"""What an overlay changes, judged by its text: a project with thousands of environments need not resolve each."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path, PurePosixPath
from typing import Final

from envctl.definition.names import FOLDER, overlay_file, with_files
from envctl.host import safe_read
from envctl.host.safe_read import open_below, open_root

_CHANGES: Final = re.compile(rb"services|base|vars|[\\&*<]")
"""What can change services in an overlay: these keys, escapes in a key, and anchors. Without them the YAML is not parsed."""
_EVERYWHERE: Final = frozenset({"base", "project", "vars", "vars_file"})
"""Keys that may change any part of any service."""
_OF_SERVICES: Final = frozenset({"base", "dockerfile", "extends", "image", "mounts"})
"""Keys of a service that define its mounts, or that can inherit another service's mounts."""


def alike(root: Path) -> dict[str, None]:
    """In order, the environments whose overlay files leave the mounts of all services as the root file has them.

    Overlays that are links, and overlays that must be parsed to be sure, are left out.
    """
    names = with_files(root)
    try:
        # The folder is opened once: resolving the path of each of thousands of files takes seconds.
        with open_root(root) as home:
            folder = open_below(home, FOLDER, flags=safe_read.FOLDER)
    except OSError:
        return {}
    try:
        return dict.fromkeys(name for name in names if _is_plain(folder, overlay_file(name)))
    finally:
        os.close(folder)


def _is_plain(folder: int, file: str) -> bool:
    try:
        descriptor = open_below(folder, PurePosixPath(file).name)
    except OSError:
        return False
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > safe_read.LARGEST_TEXT:
            return False
        data = os.read(descriptor, status.st_size)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    if not _CHANGES.search(data):
        return True
    from envctl.definition import yaml_reader
    from envctl.definition.tree import MapNode

    tree = yaml_reader.parse_leniently(data, file)
    if tree is None or _EVERYWHERE & set(tree):
        return False
    services = tree.get("services")
    return services is None or (
        isinstance(services, MapNode)
        and all(
            isinstance(service, MapNode) and not _OF_SERVICES & set(service)
            for service in services.values()
        )
    )
