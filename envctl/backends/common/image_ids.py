"""Records the latest image of each build on this host, so that code that uses images need not always ask an engine."""

from __future__ import annotations

from contextlib import suppress

from envctl.host.atomic_write import replace_file
from envctl.host.cache_folders import shared

_FOLDER = "images"


def note(build: str, content: str) -> None:
    """Record the content of a build's image. The image's id would not do, as it differs between projects.

    The record is optional: errors are ignored.
    """
    file = shared(_FOLDER, build)
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace_file(file, content.encode(), durable=False)


def last(build: str) -> str:
    """The content of a build's latest image; "" if unknown."""
    try:
        return shared(_FOLDER, build).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
