"""The image of the secrets container: one program of a few bytes that waits forever.

It contains no files of a project's images, so these cannot make the secrets container run or read anything. It is
generated from constants, and is identical everywhere.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from typing import Final

from envctl.backends.docker.engine_api import EngineApi
from envctl.backends.docker.engine_errors import NotFoundError
from envctl.errors import EnvctlError
from envctl.host.emulation import elf

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
"""By Docker's name of an architecture: its number in ELF, and the machine code."""
_ALIASES: Final = {"x86_64": "amd64", "aarch64": "arm64"}


def program(architecture: str) -> bytes:
    """A static ELF program that waits forever. KeyError for an unsupported architecture."""
    machine, code = _CODE[architecture]
    return elf(machine, code)


def image(architecture: str) -> tuple[bytes, str]:
    """The image for `docker load`, and the digest of its only layer."""
    from envctl.backends.docker.single_layer_images import packed, write

    layer = packed(
        {
            PROGRAM: (program(architecture), 0o755),
            "/etc/passwd": (b"", 0o644),
            "/etc/group": (b"", 0o644),
        }
    )
    config = {"Entrypoint": [PROGRAM], "User": "65534:65534", "Labels": {LABEL: "1"}}
    target = io.BytesIO()
    digest = write(target, io.BytesIO(layer), NAME, platform=f"linux/{architecture}", config=config)
    return target.getvalue(), digest


def have(api: EngineApi) -> str:
    """The id of the image. Loads it unless the engine has it."""
    machine = str(api.version().get("Arch", ""))
    architecture = _ALIASES.get(machine, machine)
    if architecture not in _CODE:
        raise EnvctlError(
            f"secrets are not supported on an engine with the architecture {machine or '(unknown)'}",
            hint=f"supported: {' and '.join(_CODE)}",
        )
    data, layer = image(architecture)
    image_id = _find(api, layer)
    if image_id is None:
        for _ in api.load_image(data):
            pass
        image_id = _find(api, layer)
    if image_id is None:
        raise EnvctlError(
            f"the image {NAME} is not the one that envctl has just loaded",
            hint="run the same command again; if that does not help, see `docker image inspect envctl/keeper:1`",
        )
    return image_id


def _find(api: EngineApi, layer: str) -> str | None:
    try:
        inspected = api.inspect_image(NAME)
    except NotFoundError:
        return None
    return str(inspected["Id"]) if inspected.get("RootFS", {}).get("Layers") == [layer] else None
