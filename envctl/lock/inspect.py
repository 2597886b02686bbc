"""What is in images: asked of themselves, in throwaway containers."""

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

_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Look:
    """What is in an image, and what it is: a registry's digest if it has one, else the engine's id."""

    architecture: str
    manifest: Manifest
    identity: str


def look(engine: ImageEngine, image: str) -> Look:
    """Look into an image that is at hand. EnvctlError if it does not tell."""
    architecture, manifest = tell(partial(engine.run_script, image), image)
    return Look(architecture, manifest, identity(engine, image))


def tell(run: RunScript, what: str) -> tuple[str, Manifest]:
    """The architecture and what is installed where container scripts run, in `what`. EnvctlError if it does not tell."""
    mark = secrets.token_hex(16)
    script = (files("envctl.lock") / "manifest.sh").read_text("utf-8")
    told = run(ContainerScript(script, (mark,)))
    try:
        return parse_manifest.manifest(told, mark)
    except ValueError as error:
        raise EnvctlError(f"{what} does not tell what is in it: {error}") from error


def looks(engine: ImageEngine, images: Iterable[str]) -> Mapping[str, Look]:
    """Look into several images, a few at a time."""
    names = sorted(set(images))
    found: dict[str, Look] = {}
    for start in range(0, len(names), _AT_ONCE):
        some = names[start : start + _AT_ONCE]
        answers = all_at_once(lambda name: look(engine, name), some)
        found.update(zip(some, answers, strict=True))
    return found


def identity(engine: ImageEngine, image: str) -> str:
    """What an image is, whatever it is called."""
    info = engine.images.info(image) or {}
    # A colon before a slash is that of a registry's port.
    repository = re.sub(r":[^:/]*$", "", image.partition("@")[0])
    for one in info.get("digests", ()):
        name, _, digest = one.partition("@")
        if name == repository:
            return str(digest)
    return str(info.get("id", ""))
