"""Generates images with a single layer, in the format of `docker load`."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, BinaryIO, Final

from envctl.plan.platforms import architecture, variant

_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CHUNK: Final = 1 << 20


def write(
    target: BinaryIO,
    layer: BinaryIO,
    name: str,
    *,
    platform: str,
    config: Mapping[str, Any],
    created: datetime = _BEGINNING,
) -> str:
    """Write an image with one layer, a seekable tar, and return the layer's digest.

    The output is reproducible if `created` is given.
    """
    digest, size = _hashed(layer)
    moment = created.strftime("%Y-%m-%dT%H:%M:%SZ")
    kind = variant(platform)
    configuration = {
        "architecture": architecture(platform),
        **({"variant": kind} if kind else {}),
        "os": "linux",
        "created": moment,
        "config": dict(config),
        "rootfs": {"type": "layers", "diff_ids": [digest]},
        "history": [{"created": moment, "created_by": "envctl"}],
    }
    text = json.dumps(configuration, sort_keys=True).encode()
    file = f"{hashlib.sha256(text).hexdigest()}.json"
    manifest = [{"Config": file, "RepoTags": [name], "Layers": ["layer.tar"]}]
    with tarfile.open(fileobj=target, mode="w", format=tarfile.GNU_FORMAT) as tar:
        _add(tar, file, io.BytesIO(text), len(text))
        _add(tar, "layer.tar", layer, size)
        listing = json.dumps(manifest).encode()
        _add(tar, "manifest.json", io.BytesIO(listing), len(listing))
    return digest


def packed(files: Mapping[str, tuple[bytes, int]]) -> bytes:
    """A tar archive of contents and permissions by path; equal files give equal bytes."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path, (data, mode) in files.items():
            _add(tar, path.lstrip("/"), io.BytesIO(data), len(data), mode)
    return target.getvalue()


def configured(changes: Sequence[str]) -> Mapping[str, Any]:
    """Dockerfile instructions as an image's configuration. ValueError for all except CMD in list form."""
    config: dict[str, Any] = {}
    for change in changes:
        word, _, value = change.partition(" ")
        if word != "CMD":
            raise ValueError(f"{change!r} is not supported for an image that is generated here")
        config["Cmd"] = json.loads(value)
    return config


def _add(tar: tarfile.TarFile, path: str, content: BinaryIO, size: int, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(path)
    entry.mode, entry.size = mode, size
    tar.addfile(entry, content)


def _hashed(file: BinaryIO) -> tuple[str, int]:
    """A file's hash and size. It is rewound before and after."""
    file.seek(0)
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return f"sha256:{digest.hexdigest()}", size
