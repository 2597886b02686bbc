"""Exports images from the engine: their files to a folder, or the whole image to an archive."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from envctl.backends.docker.engine import Engine
from envctl.backends.docker.engine_api import EngineApi
from envctl.backends.docker.engine_errors import NotFoundError
from envctl.errors import EnvctlError


@contextmanager
def stopped_container(api: EngineApi, image: str) -> Iterator[str]:
    """Create a container of an image to read its files, and remove it at the end. It is never started.

    The engine cannot read files of an image, but files of a container, even a stopped one.
    """
    body = {"Image": image, "Cmd": ["-"], "HostConfig": {"NetworkMode": "none"}}
    container = api.create_container(body)
    try:
        yield container
    finally:
        api.remove_container(container, force=True, v=True)


def export(engine: Engine, image: str, folder: Path) -> None:
    """Unpack an image's root filesystem, with owners and modes, into a folder. Needs root."""
    import subprocess

    argv = ("tar", "-x", "--numeric-owner", "--xattrs", "--xattrs-include=*", "-C", str(folder))
    with (
        engine.doing(f"export {image}") as api,
        stopped_container(api, image) as container,
        api.export(container) as archive,
        subprocess.Popen(argv, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as tar,
    ):
        assert tar.stdin is not None
        assert tar.stderr is not None
        for chunk in archive:
            tar.stdin.write(chunk)
        tar.stdin.close()
        errors = tar.stderr.read().decode("utf-8", "replace")
    if tar.returncode:
        raise EnvctlError(f"cannot unpack {image}", details=errors)


def save(engine: Engine, image: str, file: Path) -> None:
    """Write an image to a file that an engine can load. The file has no name of the image, because it is saved by id."""
    with engine.doing(f"save {image}") as api:
        try:
            image_id = str(api.inspect_image(image)["Id"])
        except NotFoundError:
            image_id = image
        with file.open("wb") as target, api.get_image(image_id) as archive:
            for chunk in archive:
                target.write(chunk)
