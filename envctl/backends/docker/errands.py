"""Scripts in throwaway containers of an image: to look into it, or to fetch with what it has."""

from __future__ import annotations

import io
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Final

from envctl.backends.base import Errand
from envctl.backends.docker import names as n
from envctl.backends.docker.client import Engine
from envctl.backends.docker.dockerfiles import TRUSTING, trust_files
from envctl.backends.packing import add_text
from envctl.errors import EnvctlError

_OUT: Final = "/out"
_IN_MEMORY: Final = 32 * 1024 * 1024
_SHOWN: Final = 30
"""How many of a script's last lines an error shows."""


def run(
    engine: Engine, image: str, errand: Errand, *, trust: Path | None, proxies: Mapping[str, str]
) -> bytes:
    """Run the script; its output. The container is gone afterwards, however this ends."""
    body = _container(image, errand, trusts=trust is not None, proxies=proxies)
    what = f"look into {image}" if not errand.network else f"fetch with {image}"
    with engine.doing(what) as api:
        identity = str(api.create_container_from_config(body)["Id"])  # type: ignore[no-untyped-call]
        try:
            if errand.network:
                api.put_archive(identity, "/", _brought(trust))
            api.start(identity)
            code = int(api.wait(identity, timeout=int(errand.timeout))["StatusCode"])
            out: bytes = api.logs(identity, stdout=True, stderr=False)
            if code:
                err = api.logs(identity, stdout=False, stderr=True, tail=_SHOWN)
                lines = err.decode("utf-8", "replace").splitlines()
                raise EnvctlError(
                    f"cannot {what}: its script ended with exit code {code}",
                    details="\n".join(lines),
                )
            if errand.bring is not None:
                _take_home(api.get_archive(identity, _OUT)[0], errand.bring)
        finally:
            api.remove_container(identity, force=True, v=True)
    return out


def _container(
    image: str, errand: Errand, *, trusts: bool, proxies: Mapping[str, str]
) -> dict[str, Any]:
    restricted: Mapping[str, Any] = {
        "NetworkMode": "none",
        "CapDrop": ["ALL"],
        "ReadonlyRootfs": True,
    }
    env = {**proxies, **(TRUSTING if trusts else {})} if errand.network else {}
    return {
        "Image": image,
        "Entrypoint": ["/bin/sh", "-c", errand.script, "errand"],
        "Cmd": list(errand.words),
        "User": "0:0",
        "WorkingDir": "/",
        "Env": [f"{name}={value}" for name, value in env.items()],
        "Healthcheck": {"Test": ["NONE"]},
        # What the image is labelled with is the container's too: it is no unit.
        "Labels": {n.UNIT: "", n.KEEPER: ""},
        "HostConfig": {
            **({} if errand.network else restricted),
            "SecurityOpt": ["no-new-privileges"],
            "LogConfig": {"Type": "json-file"},
        },
    }


def _brought(trust: Path | None) -> bytes:
    """An empty folder for what is fetched, and the certificates."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        folder = tarfile.TarInfo(_OUT.lstrip("/"))
        folder.type, folder.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(folder)
        if trust is not None:
            for path, text in trust_files(trust.read_text("utf-8", "replace")).items():
                add_text(tar, f"media/{PurePosixPath(path).name}", text)
    return data.getvalue()


def _take_home(stream: Iterator[bytes], folder: Path) -> None:
    """The plain files of what was fetched, by their last name: a tar's paths lead nowhere here."""
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as spool:
        for chunk in stream:
            spool.write(chunk)
        spool.seek(0)
        with tarfile.open(fileobj=spool) as tar:
            for member in tar:
                content = tar.extractfile(member) if member.isfile() else None
                name = PurePosixPath(member.name).name
                if content is not None and name not in {"", ".", ".."}:
                    with (folder / name).open("wb") as file:
                        while chunk := content.read(1 << 20):
                            file.write(chunk)
