"""An image of envctl's own for the container that keeps secrets: one program of a few bytes, which waits for ever.

Nothing of a project's image is in it, so none can make the keeper run, read or wait for something. It is made here,
of constants alone, and is the same wherever it is made.
"""

from __future__ import annotations

import hashlib
import io
import json
import struct
import tarfile
from collections.abc import Mapping
from typing import Any, Final

from envctl.errors import EnvctlError

NAME: Final = "envctl/keeper:1"
PROGRAM: Final = "/pause"
LABEL: Final = "dev.envctl.keeper-image"

_CODE: Final[Mapping[str, tuple[int, bytes]]] = {
    # mov eax, 34 (pause); syscall; jmp back
    "amd64": (62, bytes.fromhex("b8220000000f05ebf7")),
    # mov x0..x3, 0; mov x8, 73 (ppoll); svc 0; b back
    "arm64": (
        183,
        b"".join(
            struct.pack("<I", word)
            for word in (
                *(0xD2800000, 0xD2800001, 0xD2800002, 0xD2800003),
                *(0xD2800928, 0xD4000001, 0x17FFFFFA),
            )
        ),
    ),
}
"""By the engine's name of an architecture: the number that ELF has for it, and the machine code."""
_ALIASES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
_ADDRESS: Final = 0x400000
_HEADERS: Final = 64 + 56


def program(architecture: str) -> bytes:
    """A static ELF program that waits for ever. KeyError for an architecture that there is none for."""
    machine, code = _CODE[architecture]
    size = _HEADERS + len(code)
    head = b"\x7fELF" + bytes((2, 1, 1)) + bytes(9)
    head += struct.pack(
        "<HHIQQQIHHHHHH", 2, machine, 1, _ADDRESS + _HEADERS, 64, 0, 0, 64, 56, 1, 0, 0, 0
    )
    # One segment, to be read and run, aligned for pages of 64 KiB too.
    head += struct.pack("<IIQQQQQQ", 1, 5, 0, _ADDRESS, _ADDRESS, size, size, 0x10000)
    return head + code


def image(architecture: str) -> tuple[bytes, str]:
    """The image as `docker load` takes it, and the hash of its only layer."""
    layer = _tar(
        {
            PROGRAM: (program(architecture), 0o755),
            "/etc/passwd": (b"", 0o644),
            "/etc/group": (b"", 0o644),
        }
    )
    digest = f"sha256:{hashlib.sha256(layer).hexdigest()}"
    config = {
        "architecture": architecture,
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {"Entrypoint": [PROGRAM], "User": "65534:65534", "Labels": {LABEL: "1"}},
        "rootfs": {"type": "layers", "diff_ids": [digest]},
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "envctl"}],
    }
    text = json.dumps(config, sort_keys=True).encode()
    name = f"{hashlib.sha256(text).hexdigest()}.json"
    manifest = [{"Config": name, "RepoTags": [NAME], "Layers": ["layer.tar"]}]
    files = {
        name: (text, 0o644),
        "layer.tar": (layer, 0o644),
        "manifest.json": (json.dumps(manifest).encode(), 0o644),
    }
    return _tar(files), digest


def have(api: Any) -> str:
    """The id of the image, which is loaded if the engine does not have it, or has another one of that name."""
    told = str(api.version().get("Arch", ""))
    architecture = _ALIASES.get(told, told)
    if architecture not in _CODE:
        raise EnvctlError(
            f"secrets cannot be kept by an engine on {told or 'an unknown architecture'}",
            hint=f"envctl's own image for that is made for {' and '.join(_CODE)}",
        )
    data, layer = image(architecture)
    found = _found(api, layer)
    if found is None:
        for _ in api.load_image(data):
            pass
        found = _found(api, layer)
    if found is None:
        raise EnvctlError(
            f"the image {NAME} is another one than what envctl has just loaded",
            hint="run the same command again; if it stays, `docker image inspect envctl/keeper:1`",
        )
    return found


def _found(api: Any, layer: str) -> str | None:
    from docker.errors import ImageNotFound

    try:
        found = api.inspect_image(NAME)
    except ImageNotFound:
        return None
    return str(found["Id"]) if found.get("RootFS", {}).get("Layers") == [layer] else None


def _tar(files: Mapping[str, tuple[bytes, int]]) -> bytes:
    """An archive with the same bytes for the same files."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path, (data, mode) in files.items():
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.mode, entry.size = mode, len(data)
            tar.addfile(entry, io.BytesIO(data))
    return target.getvalue()
