"""Runs scripts in temporary containers of an image, to read files from it or to download files with its tools."""

from __future__ import annotations

import io
import os
import re
import secrets
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any, Final

from envctl.backends.common.build_inputs import BROUGHT, ContainerScript
from envctl.backends.common.build_tar import add_text
from envctl.backends.common.capped import MAX_OUTPUT, capped_chunks
from envctl.backends.common.makers import has_ended, here
from envctl.backends.docker import names as n
from envctl.backends.docker.dockerfiles import TRUSTING, trust_files
from envctl.backends.docker.engine import Engine
from envctl.backends.docker.engine_api import EngineApi
from envctl.backends.docker.engine_errors import ApiError
from envctl.backends.docker.stream_frames import Demultiplexer
from envctl.errors import EnvctlError

_IN_MEMORY: Final = 32 * 1024 * 1024
_SHOWN: Final = 30
"""How many of a script's last lines an error shows."""
_LONGEST: Final = 64 * 1024
_FETCHED: Final = 8 << 30
"""The maximum total size of the files that a script returns, in bytes."""
_FILES: Final = 100_000
"""The maximum number of returned files, because even an empty file needs memory."""
_KEEPING: Final = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "MKNOD", "SETFCAP")
"""The capabilities for copying an image's files with owners and modes."""
_FETCHING: Final = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID")
"""The capabilities for downloading: apt downloads as a separate user."""
_LOG: Final = "256m"
"""How much output the engine stores: the maximum that is read, plus the engine's own bytes around each line.
If a script prints more, the engine drops the beginning, which readers notice.
"""
_NAME: Final = "envctl-errand-"
_STALE: Final = re.compile(rf"/{_NAME}(\d{{1,12}})-([0-9a-f]{{8}})-(\d{{1,9}})-[0-9a-f]+")
"""The container's name contains its deadline, and the host and process that created it."""
_SLACK: Final = 600
"""How many more seconds than its own timeout a script gets, to start and to return files."""


def run(
    engine: Engine,
    image: str,
    container_script: ContainerScript,
    *,
    trust: Path | None,
    proxies: Mapping[str, str],
) -> bytes:
    """Run the script and return its output. The container is always removed.

    If envctl is killed, the next script from this host removes the container; scripts from other hosts wait for its
    deadline.
    """
    body = _container(image, container_script, trusts=trust is not None, proxies=proxies)
    what = f"{_what(container_script)} {image}"
    with engine.doing(what) as api:
        _sweep(api)
        until = int(time.time() + container_script.timeout + _SLACK)
        name = f"{_NAME}{until}-{here()}-{os.getpid()}-{secrets.token_hex(6)}"
        identity = api.create_container(body, name)
        try:
            if container_script.bring is not None:
                api.put_archive(
                    identity, "/", _brought(trust if container_script.network else None)
                )
            api.start(identity)
            code = api.wait(identity, timeout=container_script.timeout)
            out = _output(api, identity, what, {"stdout": "1"})
            if code:
                err = _output(api, identity, what, {"stderr": "1", "tail": str(_SHOWN)})
                lines = err[-_LONGEST:].decode("utf-8", "replace").splitlines()
                raise EnvctlError(
                    f"cannot {what}: its script ended with exit code {code}",
                    details="\n".join(lines),
                )
            if container_script.bring is not None:
                with api.get_archive(identity, BROUGHT) as archive:
                    _take_home(archive, container_script.bring)
        finally:
            api.remove_container(identity, force=True, v=True)
    return out


def _output(api: EngineApi, identity: str, what: str, parameters: Mapping[str, str]) -> bytes:
    """The stored part of the output."""
    demultiplexer = Demultiplexer()
    with api.logs(identity, parameters) as answer:
        contents = (content for data in answer for _, content in demultiplexer.feed(data))
        return b"".join(capped_chunks(contents, MAX_OUTPUT, f"the output of the attempt to {what}"))


def _sweep(api: EngineApi) -> None:
    """Remove containers of scripts that have ended or expired. Recognises them by name, which an image cannot set."""
    for container in api.containers(all=True, filters={"name": f"^/{_NAME}"}):
        names = (_STALE.fullmatch(name) for name in container["Names"] or ())
        if any(name and _is_over(int(name[1]), name[2], int(name[3])) for name in names):
            # Another run may have removed it first.
            with suppress(ApiError):
                api.remove_container(container["Id"], force=True, v=True)


def _is_over(until: int, where: str, process: int) -> bool:
    return has_ended(where, process) or until < time.time()


def _container(
    image: str, container_script: ContainerScript, *, trusts: bool, proxies: Mapping[str, str]
) -> dict[str, Any]:
    env = {**proxies, **(TRUSTING if trusts else {})} if container_script.network else {}
    return {
        "Image": image,
        "Entrypoint": ["/bin/sh", "-c", container_script.script, "errand"],
        "Cmd": list(container_script.arguments),
        "User": "0:0",
        "WorkingDir": "/",
        "Env": [f"{name}={value}" for name, value in env.items()],
        "Healthcheck": {"Test": ["NONE"]},
        # A container inherits its image's labels. Override them, so that it does not look like a unit.
        "Labels": {n.UNIT: "", n.SECRETS_CONTAINER: ""},
        "HostConfig": {
            **_rights(container_script),
            "SecurityOpt": ["no-new-privileges"],
            "LogConfig": {"Type": "json-file", "Config": {"max-size": _LOG, "max-file": "1"}},
        },
    }


def _rights(container_script: ContainerScript) -> Mapping[str, Any]:
    """The minimal capabilities that the script needs."""
    if container_script.network:
        return {"CapDrop": ["ALL"], "CapAdd": list(_FETCHING)}
    alone: Mapping[str, Any] = {"NetworkMode": "none", "CapDrop": ["ALL"]}
    if container_script.bring is None:
        return {**alone, "ReadonlyRootfs": True}
    return {**alone, "CapAdd": list(_KEEPING)}


def _what(container_script: ContainerScript) -> str:
    if container_script.network:
        return "fetch with"
    return "look into" if container_script.bring is None else "read"


def _brought(trust: Path | None) -> bytes:
    """An empty folder for returned files, and the certificates."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        folder = tarfile.TarInfo(BROUGHT.lstrip("/"))
        folder.type, folder.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(folder)
        if trust is not None:
            for path, text in trust_files(trust.read_text("utf-8", "replace")).items():
                add_text(tar, f"media/{PurePosixPath(path).name}", text)
    return data.getvalue()


def _take_home(stream: Iterator[bytes], folder: Path) -> None:
    """Save the regular files of an archive by their base names, so that no path can lead outside the folder."""
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY, dir=str(folder)) as spool:
        for chunk in capped_chunks(stream, _FETCHED, "what the script returned"):
            spool.write(chunk)
        spool.seek(0)
        with tarfile.open(fileobj=spool) as tar:
            for number, member in enumerate(tar):
                if number > _FILES:
                    raise EnvctlError(f"the script returned more than {_FILES} files")
                content = tar.extractfile(member) if member.isfile() else None
                name = PurePosixPath(member.name).name
                if content is not None and name not in {"", ".", ".."}:
                    with (folder / name).open("wb") as file:
                        while chunk := content.read(1 << 20):
                            file.write(chunk)
