"""Inspects a saved image before an engine loads it: its id, and that it has no names.

When an engine loads an archive, it gives every name in it to that image, and takes the name from the previous one.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import tarfile
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, Final

from envctl.errors import EnvctlError

_MANIFEST: Final = "manifest.json"
_INDEX: Final = "index.json"
_OLD_NAMES: Final = "repositories"
_MOST: Final = 16 * 1024 * 1024
"""The largest manifest or configuration that is read, in bytes."""


def identities(file: BinaryIO, what: str) -> tuple[str, ...]:
    """The possible ids of the only image in the archive: hashes of its configuration and manifests.

    EnvctlError if the archive names the image, contains none or several, or is not an image archive.
    """
    try:
        with tarfile.open(fileobj=file, mode="r:") as tar:
            return tuple(dict.fromkeys(_identities(tar, _members(tar))))
    except (
        tarfile.TarError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
    ) as error:
        raise EnvctlError(
            f"the archive of {what} is not a valid image without names: {error}"
        ) from error


def _members(tar: tarfile.TarFile) -> Mapping[str, tarfile.TarInfo]:
    """The members by path. ValueError if an engine could read a path differently, or if one appears twice."""
    members: dict[str, tarfile.TarInfo] = {}
    for member in tar:
        path = member.name
        if posixpath.normpath(path) != path or path.startswith(("/", "..")):
            raise ValueError(f"{path!r} is not a plain path")
        if path in members:
            raise ValueError(f"{path} appears twice")
        # Some engines store a repeated layer once, and add links to it.
        link = member.issym() and posixpath.basename(path) == "layer.tar"
        if not (member.isfile() or member.isdir() or link):
            raise ValueError(f"{path} is not a plain file")
        members[path] = member
    for path in members:
        above = members.get(posixpath.dirname(path))
        if above is not None and not above.isdir():
            raise ValueError(f"{path} is below a file")
    return members


def _identities(tar: tarfile.TarFile, members: Mapping[str, tarfile.TarInfo]) -> Iterator[str]:
    if _OLD_NAMES in members and _json(tar, members[_OLD_NAMES]):
        raise ValueError(f"{_OLD_NAMES} names an image")
    (image,) = _json(tar, members[_MANIFEST])
    if image.get("RepoTags"):
        raise ValueError(f"it is named {image['RepoTags']}")
    yield _hashed(tar, members[image["Config"]])
    for entry in _json(tar, members[_INDEX])["manifests"] if _INDEX in members else ():
        named = [key for key in entry.get("annotations") or {} if "name" in key]
        if named:
            raise ValueError(f"it is named by {named[0]}")
        yield _hashed(tar, members[f"blobs/{entry['digest'].replace(':', '/')}"])


def _json(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Any:
    return json.loads(_content(tar, member))


def _hashed(tar: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    return "sha256:" + hashlib.sha256(_content(tar, member)).hexdigest()


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member) if member.isfile() and member.size <= _MOST else None
    if file is None:
        raise ValueError(f"{member.name} is not a file, or has more than {_MOST} bytes")
    return file.read()
