"""Resolves paths in a container, and finds out what is there. The engine reports it without opening anything.

Reading or writing a path of an image unchecked could block on a pipe, return gigabytes, or follow a link of the image
into a mounted folder of the host.
"""

from __future__ import annotations

import base64
import io
import json
import posixpath
from collections.abc import Iterable
from typing import Final

from envctl.backends.docker.engine_api import EngineApi
from envctl.errors import EnvctlError
from envctl.lazy_dataclass import dataclass

_DIRECTORY: Final = 1 << 31
_LINK: Final = 1 << 27
_TYPES: Final = _DIRECTORY | _LINK | 1 << 26 | 1 << 25 | 1 << 24 | 1 << 21 | 1 << 19
"""Go's mode bits for everything that is not a regular file."""


@dataclass(frozen=True, slots=True)
class PathInfo:
    """What is at a path; `link` is the final target of a link, otherwise ""."""

    mode: int
    size: int
    link: str

    @property
    def is_regular(self) -> bool:
        """Whether it is a file with content."""
        return not self.mode & _TYPES

    @property
    def is_directory(self) -> bool:
        """Whether it is a folder."""
        return bool(self.mode & _DIRECTORY)


def look(api: EngineApi, container: str, path: str) -> PathInfo | None:
    """What is at a path of a container; None if it does not exist. EnvctlError if the engine does not report it."""
    encoded = api.path_stat(container, path)
    if encoded is None:
        return None
    try:
        fields = json.loads(base64.b64decode(encoded))
        return PathInfo(
            int(fields["mode"]), int(fields["size"]), str(fields.get("linkTarget") or "")
        )
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise EnvctlError(
            f"the engine does not report what is at {path} in a container",
            hint="`docker version` shows what answers there: Docker 20.10 or later is needed",
        ) from error


def leads_to(api: EngineApi, container: str, path: str) -> str:
    """The path with links in its folders resolved, as the engine resolves them in the image. The last part stays as it is."""
    folder, name = posixpath.split(path.rstrip("/") or "/")
    here = "/"
    parts = [part for part in folder.split("/") if part]
    for index, part in enumerate(parts):
        here = posixpath.join(here, part)
        info = look(api, container, here)
        if info is None:
            here = posixpath.join(here, *parts[index + 1 :])
            break
        if info.link:
            here = info.link
    return posixpath.join(here, name) if name else here


def at_its_end(api: EngineApi, container: str, path: str) -> tuple[str, PathInfo | None]:
    """The path with its last part resolved, too, and what is there."""
    entry = look(api, container, path)
    if entry is None or not entry.link:
        return path, entry
    return entry.link, look(api, container, entry.link)


def read(api: EngineApi, container: str, path: str, *, largest: int) -> bytes | None:
    """The content of a regular file in a container; None if it does not exist. EnvctlError if it is unsuitable."""
    info = look(api, container, path)
    if info is not None and info.link:
        path = info.link
        info = look(api, container, path)
    if info is None:
        return None
    if not info.is_regular:
        raise EnvctlError(
            f"{path} in its image is not a regular file",
            hint="an image has to have a regular file there, or the engine cannot run it",
        )
    if info.size > largest:
        raise EnvctlError(f"{path} in its image has {info.size:,} bytes, which is too large")
    # Allow for the archive's header and end.
    with api.get_archive(container, path) as archive:
        return _only_file(read_up_to(archive, largest + 64 * 1024))


def read_up_to(stream: Iterable[bytes], largest: int) -> bytes:
    """The joined chunks. EnvctlError if they are larger than `largest`."""
    data = bytearray()
    for chunk in stream:
        data += chunk
        if len(data) > largest:
            raise EnvctlError(f"the engine sent more than {largest:,} bytes")
    return bytes(data)


def _only_file(archive: bytes) -> bytes | None:
    import tarfile

    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            entry = tar.next()
            content = tar.extractfile(entry) if entry is not None and entry.isfile() else None
            return content.read() if content is not None else None
    except tarfile.TarError as error:
        raise EnvctlError("the engine sent an invalid archive") from error
