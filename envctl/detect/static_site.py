"""A static site: files that nginx serves."""

from __future__ import annotations

from typing import Final

from envctl.detect.application_findings import NOT_COPIED, Findings, Keys
from envctl.detect.folder_view import FolderView

_ROOTS: Final = ("public", "dist", "site", "www", "html", "_site")


def detect_static_site(folder: FolderView) -> Findings | None:
    """Find a page that needs no program."""
    index = folder.first("index.html", *(f"{root}/index.html" for root in _ROOTS))
    if index is None:
        return None
    root = index.rpartition("/")[0]
    service: Keys = {"extends": "catalogue/nginx", "ports": ["8080"]}
    if root:
        service = {**service, "with": {"root": root}}
    else:
        copy = {"from": ".", "to": "/srv/www/", "exclude": [*NOT_COPIED]}
        service = {**service, "build": Appended([{"copy": copy}])}
    return Findings(
        "a static site",
        (index,),
        service,
        {"mounts": {f"./{root}" if root else ".": {"target": "/srv/www", "read_only": True}}},
    )


class Appended(list[Keys]):
    """Items that are added to a list in the extended entry."""
