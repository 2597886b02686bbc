"""Reads the installed packages of images, with a script in temporary containers."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping
from functools import partial
from importlib.resources import files

from envctl.backends.base import ImageEngine
from envctl.backends.common.build_inputs import ContainerScript, RunScript
from envctl.backends.common.parallel import all_at_once
from envctl.errors import EnvctlError
from envctl.lazy_dataclass import dataclass
from envctl.lock import parse_manifest
from envctl.lock.model import Manifest

_PARALLEL = 4


@dataclass(frozen=True, slots=True)
class ImageContent:
    """The content of an image. `identity` is its registry digest if it has one, otherwise the engine's id."""

    architecture: str
    manifest: Manifest
    identity: str


def inspect_image(engine: ImageEngine, image: str) -> ImageContent:
    """Read the content of an image on the engine. EnvctlError if that fails."""
    architecture, manifest = read_manifest(partial(engine.run_script, image), image)
    return ImageContent(architecture, manifest, identity(engine, image))


def read_manifest(run: RunScript, subject: str) -> tuple[str, Manifest]:
    """The architecture and packages where `run` runs scripts. EnvctlError, with `subject`, if reading fails."""
    mark = secrets.token_hex(16)
    script = (files("envctl.lock") / "manifest.sh").read_text("utf-8")
    output = run(ContainerScript(script, (mark,)))
    try:
        return parse_manifest.parse_manifest(output, mark)
    except ValueError as error:
        raise EnvctlError(f"the packages in {subject} cannot be read: {error}") from error


def inspect_images(engine: ImageEngine, images: Iterable[str]) -> Mapping[str, ImageContent]:
    """Read several images, a few at a time."""
    names = sorted(set(images))
    contents: dict[str, ImageContent] = {}
    for start in range(0, len(names), _PARALLEL):
        batch = names[start : start + _PARALLEL]
        images_read = all_at_once(lambda name: inspect_image(engine, name), batch)
        contents.update(zip(batch, images_read, strict=True))
    return contents


def identity(engine: ImageEngine, image: str) -> str:
    """An image's registry digest if it has one, otherwise the engine's id."""
    info = engine.images.info(image) or {}
    # A colon before a slash belongs to the registry's port.
    repository = re.sub(r":[^:/]*$", "", image.partition("@")[0])
    for reference in info.get("digests", ()):
        name, _, digest = reference.partition("@")
        if name == repository:
            return str(digest)
    return str(info.get("id", ""))
