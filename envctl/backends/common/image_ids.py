"""What builds came to last on this host: a note, for what is made of images and asks no engine each time."""

from __future__ import annotations

from contextlib import suppress

from envctl.host.atomic_write import replace_file
from envctl.host.cache_folders import shared

_FOLDER = "images"


def note(build: str, content: str) -> None:
    """Note what a build came to: its image's content, not its id, which is another in every project.

    Without the note nothing fails.
    """
    file = shared(_FOLDER, build)
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace_file(file, content.encode(), durable=False)


def last(build: str) -> str:
    """The content of the image that a build was last made into; "" if that is not known."""
    try:
        return shared(_FOLDER, build).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
